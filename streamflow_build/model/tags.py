"""The tags of a version: which an image gets, and which of them float."""

from __future__ import annotations

import string

import msgspec

from streamflow_build.errors import ConfigError, UsageError
from streamflow_build.model.names import suggestion
from streamflow_build.model.reference import tag_problem
from streamflow_build.model.version import Version

PLACEHOLDERS = ("tag", "version", "major", "minor", "patch")
"""What a tag's pattern may hold in braces. ``tag`` is the version as typed, ``version`` the same without ``v``."""


class Tags(msgspec.Struct, frozen=True):
    """The tags of one version, each once.

    ``full`` name the whole version and stay with it; ``floating`` move on with newer versions. ``note`` is something
    the user should know about them, None where there is nothing to tell.
    """

    full: tuple[str, ...]
    floating: tuple[str, ...]
    note: str | None = None


def placeholders(pattern: str) -> frozenset[str]:
    """The placeholders in a tag's pattern. Raises ConfigError for one that doesn't exist or isn't closed."""
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None]
    except ValueError as error:
        raise ConfigError(
            f"The tag {pattern!r} has a brace that belongs to no placeholder: {error}."
        ) from None
    for name in fields:
        if name not in PLACEHOLDERS:
            raise ConfigError(
                f"The tag {pattern!r} has an unknown placeholder {{{name}}}{suggestion(name, PLACEHOLDERS)}.",
                hint=f"The placeholders are: {', '.join(f'{{{p}}}' for p in PLACEHOLDERS)}.",
            )
    return frozenset(fields)


def tags_of(patterns: tuple[str, ...], version: Version | None) -> Tags:
    """The tags that the project's patterns make of a version; ``latest`` alone where there is none.

    A prerelease gets only the tags with its full version in them. A plus, which no tag can hold, becomes ``_``; no
    semantic version has that in it, so no two versions share a tag. Raises ConfigError for a pattern that can't be
    used and UsageError for a version that makes a tag which Docker refuses.
    """
    if version is None:
        return Tags((), ("latest",))
    values = {
        "tag": version.typed.replace("+", "_"),
        "version": str(version).replace("+", "_"),
        "major": str(version.major),
        "minor": str(version.minor),
        "patch": str(version.patch),
    }
    full: dict[str, None] = {}
    floating: dict[str, None] = {}
    for pattern in patterns:
        fields = placeholders(pattern)
        whole = bool(fields & {"tag", "version"})
        if whole or version.prerelease is None:
            (full if whole else floating)[pattern.format_map(values)] = None
    for tag in (*full, *floating):
        if (reason := tag_problem(tag)) is not None:
            raise UsageError(f"{version.typed!r} can't be a tag: {reason}.", hint="Use a shorter version.")
    return Tags(tuple(full), tuple(t for t in floating if t not in full), _note(version, tuple(full)))


def _note(version: Version, full: tuple[str, ...]) -> str | None:
    if version.build is None or not full:
        return None
    return f"A tag can't hold a plus, so {version.typed} is tagged {', '.join(full)}."
