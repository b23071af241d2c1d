"""Names and references that streamflow.yaml may hold, as Docker, useradd and registries take them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from streamflow_build.config.problems import Wrong, quoted
from streamflow_build.model.names import suggestion

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}|[{}]")
_IMAGE_PLACEHOLDERS = ("project", "service")
_TAG_PLACEHOLDERS = ("tag", "version", "major", "minor", "patch")
# The shared requirements' folder, docker/common.
_RESERVED_SERVICES = ("common",)
# What each build gets from the machine, under these ids.
_RESERVED_SECRETS = ("ca", "pip-conf", "uv-conf")


def unknown(name: str, kind: str, known: Iterable[str]) -> Wrong:
    """A name that nothing has."""
    known = list(known)
    close = suggestion(name, known)
    return Wrong(
        f"there is no {kind} {quoted(name)}{close}{'?' * bool(close)}", f"Known: {', '.join(known)}."
    )


def check_image(text: str) -> None:
    """Raises Wrong when it is no image's reference."""


def check_registry(url: str) -> None:
    """Raises Wrong when it is not a registry's host[:port] and path."""


def check_mirror(host: str, mirror: str) -> None:
    """Raises Wrong when it is not a host[:port] and a prefix."""


def check_image_pattern(pattern: str, project: str) -> None:
    """Raises Wrong when the pattern can't be an image's name."""
    _check_placeholders(pattern, _IMAGE_PLACEHOLDERS)


def check_tag_pattern(pattern: str, before: tuple[str, ...]) -> None:
    """Raises Wrong when the pattern can't be a tag, or repeats one."""
    _check_placeholders(pattern, _TAG_PLACEHOLDERS)
    if not _TAG.fullmatch(_PLACEHOLDER.sub("1", pattern)):
        raise Wrong(
            f"{quoted(pattern)} can't be a tag",
            "A tag has at most 128 letters, digits, '_', '.' and '-', and starts with none of the last two.",
        )
    if pattern in before:
        raise Wrong(f"{quoted(pattern)} is already in this list", "Take one of them out.")


def check_service(name: str) -> None:
    """Raises Wrong when the tool uses the name itself."""
    if name in _RESERVED_SERVICES:
        raise Wrong(
            f"{quoted(name)} is taken: docker/{name} holds what all services share",
            "Give the service another name.",
        )


def check_user(name: str) -> None:
    """Raises Wrong for root."""
    if name == "root":
        raise Wrong("containers don't run as root", "Name a user of its own, such as the project's name.")


def check_secret(name: str) -> None:
    """Raises Wrong for an id that the tool uses itself."""
    if name in _RESERVED_SECRETS:
        raise Wrong(
            f"{quoted(name)} is taken: every build gets it from the machine", "Give the secret another id."
        )


def expand(pattern: str, **values: str) -> str:
    """The pattern with the placeholders' values; an unknown placeholder stays as it is."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1] or "", found[0]), pattern)


def _check_placeholders(pattern: str, known: tuple[str, ...]) -> None:
    for found in _PLACEHOLDER.finditer(pattern):
        if found[1] is None:
            raise Wrong(f"a {found[0]!r} stands alone in {quoted(pattern)}", "Placeholders are written {so}.")
        if found[1] not in known:
            close = suggestion(found[1], known)
            raise Wrong(
                f"unknown placeholder {quoted(found[0])}{close}{'?' * bool(close)}",
                f"Known: {', '.join(f'{{{name}}}' for name in known)}.",
            )
