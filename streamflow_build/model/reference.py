"""Image references and registry addresses, by the grammar that Docker uses (https://github.com/distribution/reference)."""

from __future__ import annotations

import re

import msgspec

from streamflow_build.errors import UsageError

DEFAULT_REGISTRY = "docker.io"
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]+)?"
)
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
LONGEST_NAME = 255
"""The most characters that a name, registry and repository, may have."""


class Reference(msgspec.Struct, frozen=True):
    """What names an image: ``docker.io/library/python:3.11-slim`` has the registry ``docker.io``, the repository
    ``library/python`` and the tag ``3.11-slim``."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    def __str__(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return f"{self.registry}/{self.repository}{tag}{digest}"

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference as people write it; what is left out is filled in as Docker does.

        Raises UsageError that says what in it Docker refuses.
        """
        name, _, digest = text.partition("@")
        if digest and not _DIGEST.fullmatch(digest):
            raise _refused(text, f"its digest {digest!r} is not sha256: and 64 hexadecimal digits")
        head, colon, tag = name.rpartition(":")
        if not colon or "/" in tag:
            head, tag = name, ""
        elif not _TAG.fullmatch(tag):
            raise _refused(text, tag_reason(tag))
        registry, repository = _split(head)
        if not _HOST.fullmatch(registry):
            raise _refused(text, f"{registry!r} is not a host name with or without a port")
        _check_repository(text, repository)
        if len(f"{registry}/{repository}") > LONGEST_NAME:
            raise _refused(text, f"it is longer than {LONGEST_NAME} characters")
        if registry == DEFAULT_REGISTRY and "/" not in repository:
            repository = f"library/{repository}"
        return cls(registry, repository, tag or (None if digest else "latest"), digest or None)


def tag_reason(tag: str) -> str:
    """Why Docker refuses this tag."""
    return (
        f"its tag {tag!r} is not 1 to 128 letters, digits, dots, dashes and underscores, "
        "beginning with a letter, digit or underscore"
    )


def registry_prefix(text: str) -> str:
    """A registry's address with a namespace, as image names begin with it: ``ghcr.io/Org/`` gives ``ghcr.io/org``.

    A namespace is lower-cased, since registries demand it. Raises UsageError that says what is wrong with the address.
    """
    address = text.rstrip("/")
    scheme, mark, rest = address.partition("://")
    if mark:
        raise _bad_registry(
            text, f"an address has no scheme; leave {scheme}:// away: {rest}" if rest else "it is empty"
        )
    if "@" in address:
        raise _bad_registry(text, "an address holds no user and no digest; log in with docker login")
    host, _, path = address.partition("/")
    if not _HOST.fullmatch(host):
        raise _bad_registry(text, f"{host!r} is not a host name with or without a port")
    if not _is_host(host):
        raise _bad_registry(text, f"{host!r} is no registry's host; for Docker Hub it is docker.io/{address}")
    if ":" in path:
        raise _bad_registry(text, "an address has no tag; the tags come from the version")
    for component in path.lower().split("/") if path else ():
        if not _COMPONENT.fullmatch(component):
            raise _bad_registry(text, component_reason(component))
    return f"{host}/{path.lower()}" if path else host


def component_reason(component: str) -> str:
    """Why Docker refuses this part of a repository's name."""
    if not component:
        return "it has an empty part"
    if component != component.lower():
        return f"{component!r} has upper-case letters; write {component.lower()!r}"
    return (
        f"{component!r} is not lower-case letters and digits, with single dots, one or two underscores "
        "or dashes between them"
    )


def _is_host(part: str) -> bool:
    return "." in part or ":" in part or part == "localhost"


def _split(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and (_is_host(first) or first != first.lower()):
        return ("docker.io" if first == "index.docker.io" else first), rest
    return DEFAULT_REGISTRY, name


def _check_repository(text: str, repository: str) -> None:
    for component in repository.split("/"):
        if not _COMPONENT.fullmatch(component):
            raise _refused(text, component_reason(component))


def _refused(text: str, reason: str) -> UsageError:
    return UsageError(
        f"{text!r} is not an image reference: {reason}.", hint="Write it like registry.example/team/name:tag."
    )


def _bad_registry(text: str, reason: str) -> UsageError:
    return UsageError(
        f"{text!r} is not a registry's address: {reason}.",
        hint="Write it like ghcr.io/org or localhost:5000.",
    )
