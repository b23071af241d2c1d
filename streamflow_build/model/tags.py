"""The tags that an image gets for a version, and which of them float."""

from __future__ import annotations

import msgspec

from streamflow_build.errors import UsageError
from streamflow_build.model.reference import tag_problem
from streamflow_build.model.version import Version

PLACEHOLDERS = ("tag", "version", "major", "minor", "patch")
"""What a tag's pattern may hold in braces; ``tag`` is the version as typed, ``version`` has no ``v``."""


class Tags(msgspec.Struct, frozen=True):
    """``full`` tags name this very version and never change; ``floating`` ones move on to newer versions."""

    full: tuple[str, ...]
    floating: tuple[str, ...]


def tags_of(patterns: tuple[str, ...], version: Version | None) -> Tags:
    """The tags for a version by the patterns of streamflow.yaml, each once; ``latest`` alone without one.

    A prerelease gets only the tags with its full version in them. A tag can't hold a plus: ``_`` stands for
    it, which no semantic version holds, as in Helm. Raises UsageError for a version too long for a tag.
    """
    if version is None:
        return Tags((), ("latest",))
    values = {
        "tag": version.typed.replace("+", "_"),
        "version": str(version).replace("+", "_"),
        "major": version.major,
        "minor": version.minor,
        "patch": version.patch,
    }
    full: dict[str, None] = {}
    floating: dict[str, None] = {}
    for pattern in patterns:
        whole = "{tag}" in pattern or "{version}" in pattern
        if whole or not version.is_prerelease:
            (full if whole else floating)[pattern.format_map(values)] = None
    for tag in (*full, *floating):
        if (reason := tag_problem(tag)) is not None:
            raise UsageError(
                f"The version {version.typed} can't be tagged: {reason}.",
                hint="Shorten what stands behind the version's three numbers.",
            )
    return Tags(tuple(full), tuple(tag for tag in floating if tag not in full))


def plus_note(version: Version) -> str | None:
    """What to tell the user about the tags of a version with build metadata; None for one without."""
    if version.build is None:
        return None
    return f"a tag can't hold a plus: {version} is tagged {str(version).replace('+', '_')}"
