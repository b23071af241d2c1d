"""Which tags a registry is to have: full versions never change, floating tags never move back."""

from __future__ import annotations

import re

import msgspec

from streamflow_build.errors import UsageError
from streamflow_build.model.project import Service
from streamflow_build.model.tags import Tags, tags_of
from streamflow_build.model.version import Version

_NUMBER = r"(?:0|[1-9]\d*)"
_VERSION = rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-[0-9A-Za-z.-]+)?(?:_[0-9A-Za-z.-]+)?"
_FIELDS = {"tag": rf"v?{_VERSION}", "version": _VERSION, "major": _NUMBER, "minor": _NUMBER, "patch": _NUMBER}


class PublishGoal(msgspec.Struct, frozen=True):
    """What is to be in a registry: these services, as this version, under ``registry`` (host and namespace).

    ``patterns`` are the tags' of streamflow.yaml, ``force`` allows a full version to get other content.
    """

    services: tuple[Service, ...]
    version: Version
    patterns: tuple[str, ...]
    registry: str
    force: bool

    @property
    def tags(self) -> Tags:
        return tags_of(self.patterns, self.version)

    def repository(self, service: Service) -> str:
        """``ghcr.io/org/streamflow-storage``."""
        return f"{self.registry}/{service.image}"


class Held(msgspec.Struct, frozen=True):
    """What a repository holds: all its tags, and the digests of those that were looked at."""

    tags: frozenset[str]
    digests: dict[str, str]


class Stays(msgspec.Struct, frozen=True):
    """A floating tag that stays where it is, in every repository alike; ``reason`` is a clause."""

    tag: str
    reason: str


def versions(patterns: tuple[str, ...], tags: frozenset[str]) -> dict[str, Version]:
    """The full tags among a repository's tags, each with its version."""
    found = ((tag, _version(pattern, tag)) for tag in sorted(tags) for pattern in patterns)
    return {
        tag: version
        for tag, version in found
        if version is not None and tag in tags_of(patterns, version).full
    }


def newest(patterns: tuple[str, ...], tags: tuple[frozenset[str], ...]) -> Version | None:
    """The newest version that has all its full tags among each of these sets of tags; None where none has."""
    common = frozenset.intersection(*tags)
    whole = [v for v in versions(patterns, common).values() if common.issuperset(tags_of(patterns, v).full)]
    return max(whole, key=lambda v: (v, len(tags_of(patterns, v).full)), default=None)


def nearest(goal: PublishGoal, tags: frozenset[str]) -> Version | None:
    """The version of a repository that the goal's is likeliest to share layers with: the last before, else any."""
    there = set(versions(goal.patterns, tags).values())
    return max((v for v in there if v < goal.version), default=min(there, default=None))


def newer(goal: PublishGoal, held: Held) -> dict[str, dict[Version, str]]:
    """By floating tag: the newer stable versions there which the tag would be on, each with a full tag of it."""
    there = {
        v: tag
        for tag, v in versions(goal.patterns, held.tags).items()
        if v > goal.version and not v.is_prerelease
    }
    return {
        floating: {v: tag for v, tag in there.items() if floating in tags_of(goal.patterns, v).floating}
        for floating in goal.tags.floating
    }


def to_look_at(goal: PublishGoal, held: frozenset[str]) -> tuple[str, ...]:
    """Of a repository's tags those whose digests the decisions need."""
    wanted: dict[str, None] = dict.fromkeys((*goal.tags.full, *goal.tags.floating))
    for found in newer(goal, Held(held, {})).values():
        wanted |= dict.fromkeys(found.values())
    return tuple(tag for tag in wanted if tag in held)


def staying(goal: PublishGoal, holdings: dict[str, Held]) -> tuple[Stays, ...]:
    """The floating tags that must not move to this version; ``holdings`` go by the services' names.

    A tag moves for all services or for none. It stays where a newer version is there for all of them, or where one
    of them has it on a newer version already. A newer version that only some have, as a release leaves it that
    failed half way, keeps nothing back.
    """
    ahead = {name: newer(goal, held) for name, held in holdings.items()}
    return tuple(
        Stays(tag, reason)
        for tag in goal.tags.floating
        if (reason := _reason(goal, tag, ahead, holdings)) is not None
    )


def _reason(
    goal: PublishGoal, tag: str, ahead: dict[str, dict[str, dict[Version, str]]], holdings: dict[str, Held]
) -> str | None:
    everywhere = set.intersection(*(set(found[tag]) for found in ahead.values()))
    on = {
        version
        for name, found in ahead.items()
        for version, full in found[tag].items()
        if (digest := holdings[name].digests.get(tag)) is not None
        and digest == holdings[name].digests.get(full)
    }
    if on:
        return f"on {max(on)}, which is newer than {goal.version}"
    if everywhere:
        return f"{max(everywhere)} is there, which is newer than {goal.version}"
    return None


def _version(pattern: str, tag: str) -> Version | None:
    """The version that a pattern of a full tag makes such a tag of; None where it makes none."""
    if "{tag}" not in pattern and "{version}" not in pattern:
        return None
    parts = re.split(r"\{(\w+)\}", pattern)
    expression = "".join(
        re.escape(part) if place % 2 == 0 else f"({_FIELDS[part]})" for place, part in enumerate(parts)
    )
    found = re.fullmatch(expression, tag)
    if found is None:
        return None
    whole = next(
        value for name, value in zip(parts[1::2], found.groups(), strict=True) if name in {"tag", "version"}
    )
    try:
        return Version.parse(whole.replace("_", "+"))
    except UsageError:
        return None
