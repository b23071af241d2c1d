"""The tags that an image gets for a version."""

from __future__ import annotations

import msgspec

from streamflow_build.errors import UsageError
from streamflow_build.model.version import Version

LONGEST_TAG = 128
"""The most characters that a tag may have (distribution reference grammar)."""


class Tags(msgspec.Struct, frozen=True):
    """``full`` tags name this very version and never change; ``floating`` ones move on to newer versions."""

    full: tuple[str, ...]
    floating: tuple[str, ...]


def tags_of(patterns: tuple[str, ...], version: Version | None) -> Tags:
    """The tags for a version by the patterns of streamflow.yaml; without a version it is ``latest`` alone.

    A prerelease gets no floating tag. A tag can't hold a plus: ``_`` stands for it, which no version holds, as in Helm.
    Raises UsageError for a version too long for a tag.
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
    full, floating = [], []
    for pattern in patterns:
        names_it = "{tag}" in pattern or "{version}" in pattern or "{patch}" in pattern
        (full if names_it else floating).append(pattern.format(**values))
    tags = Tags(tuple(dict.fromkeys(full)), () if version.is_prerelease else tuple(dict.fromkeys(floating)))
    for tag in (*tags.full, *tags.floating):
        if len(tag) > LONGEST_TAG:
            raise UsageError(
                f"The version {version} gives the tag {tag}, which has {len(tag)} characters; {LONGEST_TAG} are allowed.",
                hint="Shorten what stands behind the version's three numbers.",
            )
    return tags


def plus_note(version: Version) -> str | None:
    """What to tell the user about a version with build metadata; None for one without."""
    if version.build is None:
        return None
    return f"a tag can't hold a plus: {version} is tagged {str(version).replace('+', '_')}"
