"""The tags of a version."""

from __future__ import annotations

import pytest

from streamflow_build.errors import UsageError
from streamflow_build.model.tags import Tags, plus_note, tags_of
from streamflow_build.model.version import Version

PATTERNS = ("{tag}", "{version}", "{major}.{minor}", "{major}", "latest")


@pytest.mark.parametrize(
    ("typed", "full", "floating"),
    [
        ("v1.2.3", ("v1.2.3", "1.2.3"), ("1.2", "1", "latest")),
        ("1.2.3", ("1.2.3",), ("1.2", "1", "latest")),
        ("v1.0.0-rc.1", ("v1.0.0-rc.1", "1.0.0-rc.1"), ()),
        ("v1.0.0+5", ("v1.0.0_5", "1.0.0_5"), ("1.0", "1", "latest")),
        ("1.0.0-rc.1+b.7", ("1.0.0-rc.1_b.7",), ()),
    ],
)
def test_tags(typed: str, full: tuple[str, ...], floating: tuple[str, ...]) -> None:
    assert tags_of(PATTERNS, Version.parse(typed)) == Tags(full, floating)


def test_without_a_version() -> None:
    assert tags_of(PATTERNS, None) == Tags((), ("latest",))


def test_patterns_of_ones_own() -> None:
    patterns = ("release-{version}", "{major}.{minor}.{patch}", "stable", "{tag}")
    assert tags_of(patterns, Version.parse("1.2.3")) == Tags(("release-1.2.3", "1.2.3"), ("stable",))


def test_too_long() -> None:
    version = Version.parse(f"1.0.0-{'a' * 120}")
    with pytest.raises(UsageError) as caught:
        tags_of(("release-{version}",), version)
    assert str(caught.value) == (
        f"The version {version} can't be tagged: the tag has 134 characters, and 128 are the most.\n"
        "Shorten what stands behind the version's three numbers."
    )


def test_note_on_a_plus() -> None:
    assert plus_note(Version.parse("1.0.0")) is None
    assert plus_note(Version.parse("v1.0.0+5")) == "a tag can't hold a plus: 1.0.0+5 is tagged 1.0.0_5"
