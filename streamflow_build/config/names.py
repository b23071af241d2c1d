"""Names and references that streamflow.yaml may hold, as Docker, useradd and registries take them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from streamflow_build.config.problems import Wrong, quoted
from streamflow_build.errors import UsageError
from streamflow_build.model.names import suggestion
from streamflow_build.model.reference import (
    DOCKER_HUB,
    Reference,
    ecr_region,
    host_problem,
    registry_prefix,
    repository_problem,
    tag_problem,
)
from streamflow_build.model.tags import PLACEHOLDERS

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}|[{}]")
_IMAGE_PLACEHOLDERS = ("project", "service")
# What each build gets from the machine, under these ids.
_RESERVED_SECRETS = ("ca", "pip-conf", "uv-conf")


def check_whole_version(patterns: tuple[str, ...]) -> None:
    """Raises Wrong when no tag names the whole version: all of them would move on with the next one."""
    if not any("{tag}" in pattern or "{version}" in pattern for pattern in patterns):
        raise Wrong("no tag holds the whole version", 'Add "{version}" to the list.')


def unknown(name: str, kind: str, known: Iterable[str]) -> Wrong:
    """A name that nothing has."""
    known = list(known)
    close = suggestion(name, known)
    return Wrong(
        f"there is no {kind} {quoted(name)}{close}{'?' * bool(close)}",
        f"Known: {', '.join(known) or 'none'}.",
    )


def check_image(text: str) -> None:
    """Raises Wrong when it is no image's reference."""
    if re.search(r"@(?!sha[0-9]+:)", text):
        # What stands before it may be a password, so the text isn't repeated.
        raise Wrong("an image's name holds no '@' except before a digest", "Log in with `docker login HOST`.")
    try:
        Reference.parse(text)
    except UsageError as error:
        raise _wrong(error) from None


def check_registry(url: str) -> None:
    """Raises Wrong when it is not a registry's host[:port] and path."""
    if "@" in url:
        raise Wrong(
            "it holds credentials or a digest", "Write host and namespace only, and use `docker login HOST`."
        )
    try:
        plain = registry_prefix(url)
    except UsageError as error:
        raise _wrong(error) from None
    if plain != url:
        raise Wrong(f"{quoted(url)} is not in the form that registries take", f"Write it as {plain}")


def check_ecr(url: str) -> None:
    """Raises Wrong when it is not a registry of Amazon's ECR."""
    host = url.partition("/")[0]
    if ecr_region(host) is None:
        raise Wrong(
            f"{quoted(host)} is no registry of Amazon's ECR, and only there repositories have to be made",
            "Take the key out: other registries make a repository when something is pushed to it.",
        )


def check_mirror(host: str, mirror: str) -> None:
    """Raises Wrong when it is not a host[:port] and a prefix, or the host's own mirror."""
    reason = host_problem(host)
    if reason is not None:
        raise Wrong(reason, "Write the host as images have it, such as docker.io.")
    check_registry(mirror)
    if mirror == host:
        raise Wrong(f"{quoted(host)} would be its own mirror", "Name another host, or leave the key out.")


def check_image_pattern(pattern: str, project: str, services: tuple[str, ...]) -> None:
    """Raises Wrong when the pattern doesn't make a repository's name of every service."""
    _check_placeholders(pattern, _IMAGE_PLACEHOLDERS)
    hint = 'Write a name without registry and tag, such as "{project}-{service}".'
    for service in services:
        name = expand(pattern, project=project, service=service)
        reason = repository_problem(name)
        if reason is not None:
            raise Wrong(f"it makes {quoted(name)}, which Docker refuses: {reason}", hint)
        if Reference.parse(name).registry != DOCKER_HUB:
            raise Wrong(f"it makes {quoted(name)}, which begins with a registry", hint)
    made: dict[str, str] = {}
    for service in services:
        other = made.setdefault(expand(pattern, project=project, service=service), service)
        if other != service:
            raise Wrong(
                f"{other!r} and {service!r} would have the same image", "Put {service} into the pattern."
            )


def check_tag_pattern(pattern: str, before: tuple[str, ...]) -> None:
    """Raises Wrong when the pattern can't be a tag, or repeats one."""
    _check_placeholders(pattern, PLACEHOLDERS)
    reason = tag_problem(_PLACEHOLDER.sub("1", pattern))
    if reason is not None:
        raise Wrong(f"it can't be a tag: {reason}", "Shorten it, or replace what Docker refuses.")
    if pattern in before:
        raise Wrong(f"{quoted(pattern)} is already in this list", "Take one of them out.")


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


def placeholders(pattern: str) -> Iterator[tuple[str, str | None]]:
    """Each placeholder's name after the text before it, and None after the last text.

    Raises Wrong for a brace that belongs to no placeholder.
    """
    end = 0
    for found in _PLACEHOLDER.finditer(pattern):
        if found[1] is None:
            raise Wrong(
                f"a {found[0]!r} stands alone in {quoted(pattern)}",
                "Placeholders are written {so}; a brace that is meant as such can't stand here.",
            )
        yield pattern[end : found.start()], found[1]
        end = found.end()
    yield pattern[end:], None


def _check_placeholders(pattern: str, known: tuple[str, ...]) -> None:
    for _, name in placeholders(pattern):
        if name is not None and name not in known:
            close = suggestion(name, known)
            raise Wrong(
                f"unknown placeholder {quoted(f'{{{name}}}')}{close}{'?' * bool(close)}",
                f"Known: {', '.join(f'{{{name}}}' for name in known)}.",
            )


def _wrong(error: UsageError) -> Wrong:
    return Wrong(error.message.removesuffix("."), error.hint or "Correct it.")
