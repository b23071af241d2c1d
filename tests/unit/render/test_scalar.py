"""A text of streamflow.yaml is the same text to whatever reads the YAML that it is written to."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from streamflow_build.render.templates import exec_form, scalar

LOADERS = [yaml.CSafeLoader, yaml.SafeLoader]
WORDS = (
    "y N yes No ON off true False null NULL ~ = << .inf .nan 0x1F 0o7 1_000 1:30 1e3 2024-02-31 - ? --- ..."
)
texts = st.text(st.characters(exclude_categories=["Cc", "Cs"])) | st.text(
    "aZ09:.-_/# ~?&*!|>'\"%@`{}[],=$\\", max_size=8
)


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    "form", ["{}", "key: {}", "key: {{inner: {}}}", "key: {{inner: {}, other: 1}}", "- {}", "{}: {{}}"]
)
@given(text=texts)
@example("a\u2028b\u2029c")
@example("\ufeffa\ufffe\uffff")
@example("postgres:15")
@example("http://a:1/b")
@example("a:")
@example("a: b")
@example("a #b")
@example("😀")
def test_any_text(loader: type, form: str, text: str) -> None:
    found = yaml.load(form.format(scalar(text)), loader)  # noqa: S506 - both are safe loaders
    expected = yaml.load(form.format("x"), loader)  # noqa: S506
    assert found == put(expected, text)


def put(value: object, text: str) -> object:
    """The value with the text in the place of each x."""
    if isinstance(value, dict):
        return {put(name, text): put(inner, text) for name, inner in value.items()}
    if isinstance(value, list):
        return [put(inner, text) for inner in value]
    return text if value == "x" else value


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("word", WORDS.split(" "))
def test_words_that_mean_something_to_yaml(loader: type, word: str) -> None:
    for text in (word, word.upper(), word.lower(), word.title()):
        assert yaml.load(f"{scalar(text)}: {scalar(text)}", loader) == {text: text}  # noqa: S506


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("postgres:15", "postgres:15"),
        ("registry.example/a_b/c:v1.0-rc", "registry.example/a_b/c:v1.0-rc"),
        ("on", '"on"'),
        ("15", '"15"'),
        ("1.5", '"1.5"'),
        ("_a", '"_a"'),
        ("", '""'),
        ("a@b", '"a@b"'),
        ('5$ "é" \\', '"5$ \\"é\\" \\\\"'),
        ("a\x7fb\u2028", '"a\\u007fb\\u2028"'),
    ],
)
def test_what_is_plain_stays_plain(text: str, written: str) -> None:
    assert scalar(text) == written


@given(st.lists(texts))
@example(["\u2028\ufeff\x85"])
def test_a_list_of_words_is_yaml_and_json(words: list[str]) -> None:
    written = exec_form(words)
    assert json.loads(written) == words
    for loader in LOADERS:
        assert yaml.load(f"key: {written}", loader) == {"key": words}  # noqa: S506
