"""Names of images: what the distribution grammar allows, taken apart and put into one form.

The grammar, its limits and the way short names are completed are those of https://github.com/distribution/reference,
which Docker Engine uses.
"""

from __future__ import annotations

import re

import msgspec

from streamflow_build.errors import UsageError

DOCKER_HUB = "docker.io"
LONGEST_TAG = 128
"""The most characters a tag may have."""
LONGEST_REPOSITORY = 255
"""The most characters a repository may have, without its registry."""

_LARGEST_PORT = 65535
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_IMAGE_ID = re.compile(r"[0-9a-f]{64}")
_ECR = re.compile(r"\d{12}\.dkr[.-]ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.(amazonaws\.com(\.cn)?|on\.aws)")
_COMPONENT_RULE = "lower-case letters and digits, with '.', '_', '__' or dashes between them"


class Reference(msgspec.Struct, frozen=True):
    """What names an image: ``python:3.11-slim`` is ``docker.io``, ``library/python`` and ``3.11-slim``."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a name as Docker does: ``python`` is ``docker.io/library/python:latest``.

        Raises UsageError, which says what of it Docker would refuse.
        """
        name, at, digest = text.partition("@")
        name, tag = _split_tag(name)
        _check_name(text, name, tag, digest if at else None)
        host, slash, rest = name.partition("/")
        if not slash or (host != "localhost" and host == host.lower() and not set(".:") & set(host)):
            host, rest = DOCKER_HUB, name
        if host == "index.docker.io":
            host = DOCKER_HUB
        if not _HOST.fullmatch(host):
            raise _refusal(text, f"{host!r} is no host[:port]")
        if host == DOCKER_HUB and "/" not in rest:
            rest = f"library/{rest}"
        reason = repository_problem(rest)
        if reason is not None:
            raise _refusal(text, reason, nearest=text.lower() if tag is None and not at else None)
        return cls(host, rest, tag or (None if at else "latest"), digest if at else None)

    @property
    def familiar(self) -> str:
        """The short form, which Docker lists images by: without docker.io and its ``library``."""
        if self.registry != DOCKER_HUB:
            return str(self)
        return self.repository.removeprefix("library/") + self._suffix

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}{self._suffix}"

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def repository_problem(repository: str) -> str | None:
    """Why Docker refuses a repository (``org/streamflow-ingestion``), as a clause; None where it doesn't."""
    if len(repository) > LONGEST_REPOSITORY:
        return f"the repository has {len(repository)} characters, and {LONGEST_REPOSITORY} are the most"
    for component in repository.split("/"):
        if not component:
            return "it has an empty part between slashes"
        if not _COMPONENT.fullmatch(component):
            return f"{component!r} is not made of {_COMPONENT_RULE}"
    return None


def host_problem(host: str) -> str | None:
    """Why nothing is reached under a registry's host, with or without a port, as a clause; None where it may be."""
    if not _HOST.fullmatch(host):
        return f"{host!r} is no host[:port]"
    port = re.search(r":0*([0-9]+)$", host)
    if port and not (len(port[1]) <= len(str(_LARGEST_PORT)) and 1 <= int(port[1]) <= _LARGEST_PORT):
        return f"the port of {host!r} is not between 1 and {_LARGEST_PORT}"
    return None


def tag_problem(tag: str) -> str | None:
    """Why Docker refuses a tag, as a clause; None where it doesn't."""
    if not tag:
        return "the tag is empty"
    if len(tag) > LONGEST_TAG:
        return f"the tag has {len(tag)} characters, and {LONGEST_TAG} are the most"
    if not _TAG.fullmatch(tag):
        return f"the tag {tag!r} is not made of letters, digits, '_', '.' and '-', with no '.' or '-' first"
    return None


def registry_prefix(text: str) -> str:
    """What stands before an image's name in a registry: host and namespace, such as ``ghcr.io/org``.

    Registries take lower case only, so ``ghcr.io/Org`` is ``ghcr.io/org``. Raises UsageError, which says
    what of it can't be used.
    """
    example = "Write host and namespace, such as ghcr.io/org or localhost:5000/team."
    if not text.strip():
        raise UsageError("The registry is empty.", hint=example)
    if "@" in text:
        if re.search(r"@sha\d+:", text):
            raise _no_registry(text, "it holds a digest", example)
        # The text may hold a password, so it isn't repeated.
        host = text.rpartition("@")[2]
        raise UsageError(
            "The registry holds credentials, which would be seen in every list of processes.",
            hint=f"Run `docker login {host.partition('/')[0]}`, and write the registry as {host}.",
        )
    if "://" in text:
        raise _no_registry(text, "a registry has no scheme", f"Write it without: {text.partition('://')[2]}")
    host, _, path = text.rstrip("/").lower().partition("/")
    if ":" in path:
        shorter = text[: text.rindex(":")]
        raise _no_registry(text, "it holds a tag, which the version decides", f"Write it without: {shorter}")
    if (reason := host_problem(host)) is not None:
        raise _no_registry(text, reason, example)
    if host != "localhost" and not set(".:") & set(host):
        raise _no_registry(
            text, f"{host!r} is no host", f"On Docker Hub it is docker.io/{text.rstrip('/').lower()}."
        )
    if host == DOCKER_HUB and not path:
        raise _no_registry(
            text, "Docker Hub needs a namespace", "Write docker.io/ and your user's or organisation's name."
        )
    if path and (reason := repository_problem(path)) is not None:
        raise _no_registry(text, reason, example)
    return f"{host}/{path}" if path else host


def ecr_region(host: str) -> str | None:
    """The region of a registry of Amazon's ECR; None where it is another's.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
    """
    found = _ECR.fullmatch(host)
    return None if found is None else found["region"]


def _split_tag(name: str) -> tuple[str, str | None]:
    before, colon, after = name.rpartition(":")
    return (before, after) if colon and "/" not in after else (name, None)


def _check_name(text: str, name: str, tag: str | None, digest: str | None) -> None:
    if not name:
        raise _refusal(text, "the name is empty")
    if re.search(r"\s", text):
        raise _refusal(text, "it has a space in it")
    if "://" in text:
        raise _refusal(text, "an image's name has no scheme", nearest=text.partition("://")[2])
    if _IMAGE_ID.fullmatch(name):
        raise _refusal(text, "64 hexadecimal digits are an image's id, not its name")
    if tag is not None and (reason := tag_problem(tag)) is not None:
        raise _refusal(text, reason)
    if digest is not None and not _DIGEST.fullmatch(digest):
        raise _refusal(text, f"{digest!r} is no digest, such as sha256: and 64 hexadecimal digits")


def _refusal(text: str, reason: str, nearest: str | None = None) -> UsageError:
    hint = "Write it as docker pull takes it: [HOST[:PORT]/]NAME[:TAG]."
    if nearest is not None and nearest != text and repository_problem(nearest.rpartition("/")[2]) is None:
        hint = f"Did you mean {nearest}?"
    return UsageError(f"{text!r} is not the name of an image: {reason}.", hint=hint)


def _no_registry(text: str, reason: str, hint: str) -> UsageError:
    return UsageError(f"{text!r} can't be used as a registry: {reason}.", hint=hint)
