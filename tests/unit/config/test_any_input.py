"""Whatever stands in the file, the answer is a project or a ConfigError; and the schema says the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from streamflow_build.config import json_schema, load, shape
from streamflow_build.config.problems import Problems
from streamflow_build.config.reading import Reader
from streamflow_build.errors import ConfigError
from streamflow_build.model.project import Project

GOLDEN = Path(__file__).parents[2] / "golden"
TEXTS = tuple((GOLDEN / name).read_text() for name in ("small.yaml", "everything.yaml"))
FILE = Path("streamflow.yaml")
# What isn't read alike by YAML 1.1 and 1.2, or breaks YAML itself: a schema knows nothing of these.
NOT_FOR_SCHEMAS = re.compile(
    r"boolean_in_words|yaml_|two_doc|duplicate|text_read|another_base|clock|foreign|merge_|key_that|empty$|only_"
)
bounded = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

ODD = "\t\n\0 :-?[]{},#&*!|>'\"%@`~=<^\\/.\u2028\x85\ufeff\x7fé😀"
WORDS = (
    """<<:_ *user &a_ !!binary_ ... --- null no 0x1F 1e400 .inf .nan 2024-02-31 !!python/name:x_ ? |- >+"""
)
words = st.sampled_from([*ODD, *WORDS.replace("_", " ").split(" "), "\n  ", "9" * 5000, "a" * 3000])
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([0.5, 1e30]),
        st.text(max_size=20),
        st.sampled_from(
            ["web", "python", "src/web", "{version}", "latest", "1MB", "/x", "a.b", "source", "ghcr.io/x", ""]
        ),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=4,
)


@st.composite
def broken_texts(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 30)))
        text = text[:start] + draw(words | st.just("") | st.text(max_size=5)) + text[end:]
    return text


@st.composite
def changed_data(draw: st.DrawFn) -> Any:
    data = yaml.safe_load(draw(st.sampled_from(TEXTS)))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(data))
        holder, key = draw(st.sampled_from(places))
        action = draw(st.sampled_from(["replace", "delete", "add"]))
        if action == "add" and isinstance(holder, dict):
            holder[draw(st.sampled_from([*holder, "port", "image", "uid", "x-y", "Ä"]))] = draw(values)
        elif action == "delete":
            del holder[key]
        else:
            holder[key] = draw(values)
        if not data:
            break
    return data


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in inner:
        yield data, key
        yield from _places(value)


def _answer(content: bytes) -> Project | ConfigError:
    FILE.write_bytes(content)
    try:
        return load(FILE)
    except ConfigError as error:
        return error


def _nine_times(mapping: str) -> str:
    lines = (f"a{i}: &a{i} " + mapping.replace("ALL", ", ".join([f"*a{i - 1}"] * 9)) for i in range(1, 30))
    return ", ".join(lines)


@bounded
@given(broken_texts())
@example("needs: &a [*a]")
@example("services: &s {<<: *s}")
@example("services: &s {<<: [*s, *s]}")
@example("- " * 100_000)
@example("{" * 100_000)
@example("? " * 10_000)
@example("services: {web: {publish: " + "9" * 10_000 + "}}")
@example(f"infrastructure: {{a0: &a0 {{image: x}}, {_nine_times('{<<: [ALL]}')}}}")
@example(f"services: {{a0: &a0 [x], {_nine_times('[ALL]')}}}")
def test_any_text(folder: Path, text: str) -> None:
    answer = _answer(text.encode())
    assert isinstance(answer, Project) or str(answer).startswith("streamflow.yaml")


@bounded
@given(st.binary(max_size=200))
def test_any_bytes(folder: Path, content: bytes) -> None:
    _answer(content)


@bounded
@given(changed_data())
def test_any_data(folder: Path, data: Any) -> None:
    _answer(yaml.safe_dump(data, allow_unicode=True).encode())


def _ecma_pattern(_: Any, pattern: str, text: Any, __: Any) -> Iterator[ValidationError]:
    # In ECMAScript, and so in JSON Schema, '$' is the end of the text; in Python a newline may follow.
    if isinstance(text, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), text):
        yield ValidationError(f"{text!r} does not match {pattern!r}")


SCHEMA = extend(Draft202012Validator, {"pattern": _ecma_pattern})(msgspec.json.decode(json_schema()))


def _reads(text: str) -> bool:
    problems = Problems(FILE)
    Reader(problems).read(
        yaml.compose(text, Loader=yaml.CSafeLoader), msgspec.inspect.type_info(shape.Document)
    )
    try:
        problems.check()
    except ConfigError:
        return False
    return True


@bounded
@given(changed_data())
def test_schema_and_reader_agree(data: Any) -> None:
    assert SCHEMA.is_valid(data) == _reads(yaml.safe_dump(data, allow_unicode=True))


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(GOLDEN.glob("errors/*.yaml")) if not NOT_FOR_SCHEMAS.search(path.stem)],
    ids=lambda path: path.stem,
)
def test_schema_and_reader_agree_on_each_golden(path: Path) -> None:
    text = path.read_text()
    assert SCHEMA.is_valid(yaml.safe_load(text)) == _reads(text)


@pytest.mark.parametrize("text", TEXTS)
def test_what_is_good_is_valid(text: str) -> None:
    assert list(SCHEMA.iter_errors(yaml.safe_load(text))) == []
