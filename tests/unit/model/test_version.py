"""Versions as people type them, and what is said of those that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow_build.errors import UsageError
from streamflow_build.model.version import Version

FORM = "A version has three numbers and may have a prerelease: v1.0.0, 1.0.0, v1.0.0-rc.1."
BAD_REST = (
    "what follows '-' and '+' is made of letters, digits and dashes, in parts with a dot between them, "
    "and a number before the '+' has no zero before it"
)


@pytest.mark.parametrize(
    ("typed", "version"),
    [
        ("v1.2.3", "1.2.3"),
        ("1.2.3", "1.2.3"),
        ("0.0.0", "0.0.0"),
        ("v1.0.0-rc.1", "1.0.0-rc.1"),
        ("1.0.0+5", "1.0.0+5"),
        ("v1.0.0-rc.1+build.01", "1.0.0-rc.1+build.01"),
    ],
)
def test_good(typed: str, version: str) -> None:
    parsed = Version.parse(typed)
    assert str(parsed) == version
    assert parsed.typed == typed


@pytest.mark.parametrize(
    ("typed", "reason", "hint"),
    [
        ("v1.0", "it has two numbers where three are needed", "Did you mean v1.0.0?"),
        ("1", "it has one number where three are needed", "Did you mean 1.0.0?"),
        ("1.0.0.0", "it has 4 numbers where three are needed", "Did you mean 1.0.0?"),
        ("banana", "it doesn't begin with a number", FORM),
        ("v", "it doesn't begin with a number", FORM),
        ("vv1.0.0", "it doesn't begin with a number", FORM),
        ("-1.0.0", "it doesn't begin with a number", FORM),
        ("01.2.3", "a number has a zero before it", "Did you mean 1.2.3?"),
        (" v1.0.0", "it has a space in it", "Did you mean v1.0.0?"),
        ("1.0.0\n", "it has a space in it", "Did you mean 1.0.0?"),
        ("V1.0.0", "the letter before it is a small v", "Did you mean v1.0.0?"),
        ("1.0.0rc1", "after the three numbers comes '-' or '+', not 'r'", "Did you mean 1.0.0-rc1?"),
        ("1.0.0_5", "after the three numbers comes '-' or '+', not '_'", FORM),
        ("1.0.0-01", BAD_REST, FORM),
        ("v1.0.0-", BAD_REST, "Did you mean v1.0.0?"),
        ("1.0.0-ü", BAD_REST, FORM),
        ("1\u0660.0.0", "it has one number where three are needed", FORM),
    ],
)
def test_bad(typed: str, reason: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        Version.parse(typed)
    assert str(caught.value) == f"{typed!r} is not a semantic version: {reason}.\n{hint}"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("typed", ["", " ", "\t"])
def test_empty(typed: str) -> None:
    with pytest.raises(UsageError) as caught:
        Version.parse(typed)
    assert str(caught.value) == f"The version is empty.\n{FORM}"


def test_longer_than_a_tag() -> None:
    with pytest.raises(UsageError) as caught:
        Version.parse("9" * 5000 + ".0.0")
    assert str(caught.value) == f"The version has 5004 characters, and a tag holds at most 128.\n{FORM}"


def test_order() -> None:
    ordered = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-rc.1", "v1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0"]
    assert [v.typed for v in sorted(map(Version.parse, reversed(ordered)))] == ordered


def test_neither_spelling_nor_build_metadata_makes_another_version() -> None:
    assert Version.parse("v1.0.0") == Version.parse("1.0.0+5")
    assert hash(Version.parse("v1.0.0")) == hash(Version.parse("1.0.0+5"))
    assert Version.parse("1.0.0") != Version.parse("1.0.0-rc.1")


def refusal(text: str) -> UsageError | None:
    try:
        assert Version.parse(text).typed == text
    except UsageError as error:
        return error
    return None


@given(st.text())
def test_anything_is_a_version_or_refused_with_a_hint(text: str) -> None:
    error = refusal(text)
    assert error is None or error.hint


@given(st.from_regex(r"v?[0-9]{1,3}(\.[0-9]{1,3}){0,4}([-+_.a]{0,2}[0-9a-z.]{0,5})?", fullmatch=True))
def test_what_is_suggested_is_a_version(text: str) -> None:
    error = refusal(text)
    if error is not None and error.hint is not None and error.hint != FORM:
        Version.parse(error.hint.removeprefix("Did you mean ").removesuffix("?"))
