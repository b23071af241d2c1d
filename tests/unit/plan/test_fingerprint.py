"""The fingerprint: the same for the same, another for anything else, and names for what differs."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from streamflow_build.model.image import ContextFile
from streamflow_build.plan.fingerprint import Inputs, changed, inputs

PATHS = ("src/web", "src", "wheels")
NAMES = st.sampled_from(
    ["src/a.py", "src/web/a.py", "src/web/b.py", "src/webs.py", "wheels/x.whl", "docker/x"]
)
FILES = st.builds(
    ContextFile,
    path=NAMES,
    mode=st.sampled_from([0o644, 0o755]),
    content=st.binary(max_size=4),
    target=st.none() | st.sampled_from(["a.py", "b.py"]),
)
CONTEXTS = st.lists(FILES, unique_by=lambda file: file.path, max_size=6).map(
    lambda files: tuple(sorted(files, key=lambda file: file.path))
)
ARGUMENTS = st.dictionaries(st.sampled_from(["VERSION", "OTHER"]), st.text(max_size=3), max_size=2)


def made(context: tuple[ContextFile, ...], base: str = "sha256:1", **arguments: str) -> Inputs:
    return inputs(base=("python", base), context=context, paths=PATHS, build_args=arguments, labels={})


def owner(path: str) -> str:
    return max((p for p in PATHS if path.startswith(f"{p}/")), key=len, default=path)


@given(CONTEXTS, CONTEXTS)
def test_it_differs_exactly_when_the_files_do(one: Any, other: Any) -> None:
    assert (made(one).fingerprint == made(other).fingerprint) == (one == other)


@given(CONTEXTS, CONTEXTS)
def test_what_changed_are_the_sources_whose_files_differ(one: Any, other: Any) -> None:
    expected = {owner(file.path) for file in {*one}.symmetric_difference(other)}
    assert set(changed(made(one).dumps(), made(other))) == expected


@given(CONTEXTS, ARGUMENTS, ARGUMENTS)
def test_build_arguments_count(context: Any, one: dict[str, str], other: dict[str, str]) -> None:
    assume(one != other)
    assert made(context, **one).fingerprint != made(context, **other).fingerprint
    names = {name for name in {*one, *other} if one.get(name) != other.get(name)}
    assert set(changed(made(context, **one).dumps(), made(context, **other))) == {
        f"build argument {name}" for name in names
    }


def test_the_base_counts() -> None:
    assert made((), "sha256:1").fingerprint != made((), "sha256:2").fingerprint
    assert changed(made((), "sha256:1").dumps(), made((), "sha256:2")) == ("base python",)


@given(CONTEXTS)
def test_the_label_holds_it_all_and_no_content(context: Any) -> None:
    found = made(context)
    told = msgspec.json.decode(found.dumps(), type=dict[str, str])
    assert tuple(told.items()) == found.hashes
    assert all(len(value) == 16 for value in told.values())


@given(st.text())
def test_any_label_of_others_is_survived(label: str) -> None:
    assert isinstance(changed(label, made(())), tuple)


def test_it_is_the_same_tomorrow() -> None:
    """A changed way of counting would rebuild every image that anybody has."""
    found = made((ContextFile("src/a.py", 0o644, b"a\n"),), VERSION="1.0.0")
    assert found.fingerprint == "da614ae2e0960a1a654558d0f3a0abf7c9dfcaed4263a6347737bb5a1af47eca"
