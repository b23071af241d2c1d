"""Which tags a registry is to have, by what it holds."""

from __future__ import annotations

import pytest

from streamflow_build.model.version import Version
from streamflow_build.plan.publish import (
    Held,
    PublishGoal,
    Stays,
    nearest,
    newest,
    staying,
    to_look_at,
    versions,
)

PATTERNS = ("{tag}", "{version}", "{major}.{minor}", "{major}", "latest")


def goal(version: str, patterns: tuple[str, ...] = PATTERNS) -> PublishGoal:
    return PublishGoal((), Version.parse(version), patterns, "registry.example/team", force=False)


def held(*tags: str, **digests: str) -> Held:
    return Held(frozenset(tags), {name.replace("_", "."): digest for name, digest in digests.items()})


@pytest.mark.parametrize(
    ("patterns", "tag", "version"),
    [
        (PATTERNS, "v1.0.0", "1.0.0"),
        (PATTERNS, "1.2.3-rc.1", "1.2.3-rc.1"),
        (PATTERNS, "1.0.0_5", "1.0.0+5"),
        (("release-{version}-{major}",), "release-1.2.3-1", "1.2.3"),
        (("release-{version}-{major}",), "release-1.2.3-2", None),
        (PATTERNS, "1.0", None),
        (PATTERNS, "latest", None),
        (PATTERNS, "01.0.0", None),
        (PATTERNS, "main-1.0.0", None),
    ],
)
def test_the_version_of_a_tag(patterns: tuple[str, ...], tag: str, version: str | None) -> None:
    found = versions(patterns, frozenset({tag}))
    assert [str(each) for each in found.values()] == ([] if version is None else [version])


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([["v1.0.0", "1.0.0"], ["v1.0.0", "1.0.0"]], "v1.0.0"),
        ([["v1.0.0", "1.0.0", "v1.1.0", "1.1.0"], ["v1.0.0", "1.0.0"]], "v1.0.0"),
        ([["1.0.0", "1.1.0-rc.1"], ["1.0.0", "1.1.0-rc.1"]], "1.1.0-rc.1"),
        ([["v2.0.0"], ["v2.0.0"]], None),  # 2.0.0 itself is missing: it was tagged by hand
        ([["latest"], ["latest"]], None),
    ],
)
def test_the_newest_version_that_all_have(tags: list[list[str]], expected: str | None) -> None:
    found = newest(PATTERNS, tuple(map(frozenset, tags)))
    assert (None if found is None else found.typed) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["v1.1.0", "1.1.0", "v1.1.9", "v2.0.0", "latest"], "1.1.9"),
        (["1.1.0-rc.1", "v1.0.0"], "1.1.0-rc.1"),
        (["v3.0.0", "v2.0.0", "v1.2.0"], "1.2.0"),
        (["latest", "nightly", "1"], None),
        ([], None),
    ],
    ids=["the last before", "a prerelease before", "itself and later ones", "no version", "nothing"],
)
def test_the_nearest_version(tags: list[str], expected: str | None) -> None:
    found = nearest(goal("1.2.0"), frozenset(tags))
    assert (None if found is None else str(found)) == expected


def test_floating_tags_are_free_where_nothing_newer_is() -> None:
    there = held("v1.0.0", "1.0.0", "1.0", "1", "latest", "v2.0.0-rc.1", latest="a", v1_0_0="a")
    assert staying(goal("v1.0.1"), {"web": there, "mail": there}) == ()


def test_a_newer_version_of_all_keeps_what_it_would_be_on() -> None:
    there = held("v1.1.0", "1.1.0", "1.1", "1", "latest")
    assert staying(goal("v1.0.1"), {"web": there, "mail": there}) == (
        Stays("1", "1.1.0 is there, which is newer than 1.0.1"),
        Stays("latest", "1.1.0 is there, which is newer than 1.0.1"),
    )


def test_a_newer_version_of_some_keeps_nothing_unless_a_tag_is_on_it() -> None:
    half = held("v1.0.0", "v1.1.0", "latest", latest="old", v1_1_0="new", v1_0_0="old")
    without = held("v1.0.0", "latest", latest="old", v1_0_0="old")
    assert staying(goal("v1.0.1"), {"web": half, "mail": without}) == ()

    moved = held("v1.0.0", "v1.1.0", "latest", latest="new", v1_1_0="new", v1_0_0="old")
    assert staying(goal("v1.0.1"), {"web": moved, "mail": without}) == (
        Stays("latest", "on 1.1.0, which is newer than 1.0.1"),
    )


def test_what_is_looked_at() -> None:
    tags = frozenset({"v1.0.1", "latest", "1", "v1.1.0", "1.1.0", "v0.9.0", "main"})
    assert set(to_look_at(goal("v1.0.1"), tags)) == {"v1.0.1", "latest", "1", "v1.1.0"} or set(
        to_look_at(goal("v1.0.1"), tags)
    ) == {"v1.0.1", "latest", "1", "1.1.0"}
