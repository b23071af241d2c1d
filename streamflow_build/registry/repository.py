"""One repository of a registry: what is there, and putting there what isn't."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
import requests

from streamflow_build.errors import RegistryError
from streamflow_build.registry.access import Scope
from streamflow_build.registry.answers import address, check, document
from streamflow_build.registry.client import Registry
from streamflow_build.registry.manifest import ACCEPTED, LARGEST, Descriptor, Manifest, digest_of
from streamflow_build.registry.retry import Patience, Transient
from streamflow_build.registry.transport import STORING_SECONDS

CHUNK = 1 << 18
"""Bytes that are sent at a time: each such piece must pass within the seconds that a connection may take."""
Content = Callable[[], Iterable[bytes]]
"""Begins a blob, anew with each attempt to send it: its pieces, of at most ``CHUNK`` bytes."""
Progress = Callable[[int], None]
"""Told how many bytes of a blob are sent."""

_PAGE = 1000
_MOST_PAGES = 10_000
_DIGEST = "Docker-Content-Digest"
_UNTOLD = -1
# No blob is as long as what has so many digits, and of thousands Python makes no number.
_DIGITS = 20
_NOT_MOUNTED = frozenset({400, 403, 404, 405})

T = TypeVar("T")


class _Tags(msgspec.Struct, frozen=True):
    tags: tuple[str, ...] | None


def _unseen(_: int) -> None:
    """Nobody looks."""


class Repository:
    """One repository of a registry, such as ``org/streamflow-storage``, whether it is there or not.

    Whatever is transient is tried again; every method raises RegistryError for the rest.
    """

    def __init__(self, registry: Registry, name: str) -> None:
        self.registry = registry
        self.name = name
        self._scope: Scope = (f"repository:{name}:pull,push",)

    def __str__(self) -> str:
        return f"{self.registry.host}/{self.name}"

    def tags(self) -> frozenset[str]:
        """All its tags; none where there is no such repository yet."""
        found: set[str] = set()
        path: str | None = f"/v2/{self.name}/tags/list?n={_PAGE}"
        seen: set[str] = set()
        while path is not None:
            if path in seen:
                raise RegistryError(f"{self} lists its tags in a circle: after {path} it comes again.")
            if len(seen) == _MOST_PAGES:
                raise RegistryError(
                    f"{self} lists its tags without an end, in more than {_MOST_PAGES} pages."
                )
            seen.add(path)
            path = self._tags_page(path, found)
        return frozenset(found)

    def digest(self, reference: str) -> str | None:
        """The digest of the manifest of a tag; None where there is no such tag."""

        def ask() -> str | None:
            answer = self._ask("HEAD", f"manifests/{reference}", headers={"Accept": ", ".join(ACCEPTED)})
            if answer.status_code == requests.codes.not_found:
                return None
            check(answer, f"the manifest of {self.name}:{reference}")
            return answer.headers.get(_DIGEST, "")

        told = self._patiently(ask)
        if told == "":  # a registry need not tell it
            manifest = self.manifest(reference)
            return None if manifest is None else manifest.digest
        return told

    def manifest(self, reference: str) -> Manifest | None:
        """The manifest of a tag or digest, its bytes as they are there; None where there is none.

        Raises RegistryError where they aren't what the registry says they are.
        """

        def ask() -> Manifest | None:
            answer = self._ask("GET", f"manifests/{reference}", headers={"Accept": ", ".join(ACCEPTED)})
            if answer.status_code == requests.codes.not_found:
                return None
            check(answer, f"the manifest of {self.name}:{reference}")
            manifest = Manifest(answer.headers.get("Content-Type", "").partition(";")[0], answer.content)
            told = reference if reference.startswith("sha256:") else answer.headers.get(_DIGEST)
            if told is not None and told != manifest.digest:
                raise RegistryError(
                    f"{self}:{reference} is not what the registry says: it names {told}, and sends {manifest.digest}.",
                    hint="Something between here and the registry changes what is sent, or the registry is broken.",
                )
            return manifest

        return self._patiently(ask)

    def put(self, reference: str, manifest: Manifest) -> None:
        """Set a tag, or put a manifest under its digest. Raises RegistryError where another digest is answered."""
        if len(manifest.content) > LARGEST:
            raise RegistryError(f"The manifest of {self}:{reference} has more than {LARGEST} bytes.")

        def ask() -> None:
            answer = self._ask(
                "PUT",
                f"manifests/{reference}",
                headers={"Content-Type": manifest.media_type},
                data=manifest.content,
            )
            check(answer, f"the tag {self.name}:{reference}")
            told = answer.headers.get(_DIGEST, manifest.digest)
            if told != manifest.digest:
                raise RegistryError(f"{self}:{reference} was sent as {manifest.digest}, and taken as {told}.")

        self._patiently(ask)

    def check_writable(self) -> None:
        """See that the user may write here, before anything is sent: an upload is begun and given up."""
        location = self._patiently(self._begin)
        with suppress(RegistryError, Transient):  # it is given up also where the registry wants no word of it
            self.registry.send("DELETE", location, self._scope)

    def holds(self, digest: str) -> bool:
        """Whether a blob is there."""
        return self._length(digest) is not None

    def lost(self, manifest: Manifest) -> tuple[str, ...]:
        """The digests of what a manifest consists of and that isn't there.

        Raises RegistryError for a blob of another length, which no upload mends: its digest is taken already.
        """
        found: list[str] = []
        for inner in manifest.manifests:
            there = self.manifest(inner.digest)
            found += [inner.digest] if there is None else self.lost(there)
        parts = {part.digest: part for part in (manifest.config, *manifest.layers) if part is not None}
        return (*found, *(digest for digest, part in parts.items() if not self._has(part)))

    def _has(self, part: Descriptor) -> bool:
        length = self._length(part.digest)
        if length == 0 < part.size and self._gives(part):  # some say so of whatever isn't sent along
            return True
        if length not in {None, _UNTOLD, part.size}:
            raise RegistryError(
                f"The blob {self}@{part.digest} is damaged: it has {length} bytes of {part.size}.",
                hint="Have it removed from the registry's storage, and run the command again, which sends it.",
            )
        return length is not None

    def blob(self, descriptor: Descriptor) -> bytes:
        """A small blob's content, such as a configuration. Raises RegistryError where it isn't of that digest."""

        def ask() -> bytes:
            answer = self._ask("GET", f"blobs/{descriptor.digest}")
            check(answer, f"the blob {self.name}@{descriptor.digest}")
            if digest_of(answer.content) != descriptor.digest:
                raise RegistryError(
                    f"The blob {self}@{descriptor.digest} is damaged: its content is of another digest."
                )
            return answer.content

        return self._patiently(ask)

    def upload(
        self, descriptor: Descriptor, content: Content, progress: Progress = _unseen, *, missing: bool = False
    ) -> None:
        """Put a blob there, unless it is there already; ``missing`` says that it is known not to be."""
        if missing or not self.holds(descriptor.digest):
            self._patiently(lambda: self._send_blob(descriptor, content(), progress))

    def stream(
        self, content: Content, whole: Callable[[], Descriptor], progress: Progress = _unseen
    ) -> Descriptor:
        """Put a blob there while its content still comes; ``whole`` says what it was, once that has ended.

        As Docker sends layers: in an upload's one PATCH, whose length isn't told.
        """

        def send() -> Descriptor:
            pieces = _watched(content(), self.registry.patience, progress)
            answer = self._send_bytes("PATCH", self._begin(), pieces)
            _check_upload(answer, f"a layer of {self.name}")
            descriptor = whole()
            self._end_upload(self._location(answer), descriptor, b"")
            return descriptor

        return self._patiently(send)

    def take(self, descriptor: Descriptor, source: Repository, progress: Progress = _unseen) -> None:
        """Have a blob of another repository here: mounted where it is the same registry, else sent through."""
        if source.registry is self.registry and self._patiently(
            lambda: self._mount(descriptor.digest, source)
        ):
            return
        if self.holds(descriptor.digest):
            return

        def send() -> None:
            scope = (f"repository:{source.name}:pull",)
            path = f"/v2/{source.name}/blobs/{descriptor.digest}"
            with source.registry.send("GET", path, scope, stream=True) as answer:
                check(answer, f"the blob {source.name}@{descriptor.digest}")
                self._send_blob(
                    descriptor, _received(answer, f"{source}@{descriptor.digest}", descriptor.size), progress
                )

        self._patiently(send)

    def _length(self, digest: str) -> int | None:
        """A blob's length in bytes, ``_UNTOLD`` where the registry doesn't tell; None where there is no such blob."""

        def ask() -> int | None:
            answer = self._ask("HEAD", f"blobs/{digest}")
            if answer.status_code == requests.codes.not_found:
                return None
            check(answer, f"the blob {self.name}@{digest}")
            told = answer.headers.get("Content-Length", "")
            return int(told) if told.isascii() and told.isdecimal() and len(told) < _DIGITS else _UNTOLD

        return self._patiently(ask)

    def _gives(self, part: Descriptor) -> bool:
        """Whether a blob has any content."""

        def ask() -> bool:
            with self.registry.send(
                "GET", f"/v2/{self.name}/blobs/{part.digest}", self._scope, stream=True
            ) as answer:
                check(answer, f"the blob {self.name}@{part.digest}")
                return any(_pieces(answer))

        return self._patiently(ask)

    def _tags_page(self, path: str, found: set[str]) -> str | None:
        def ask() -> str | None:
            answer = self.registry.send("GET", path, self._scope)
            if answer.status_code == requests.codes.not_found:
                return None
            check(answer, f"the tags of {self.name}")
            try:
                found.update(msgspec.convert(document(answer), _Tags).tags or ())
            except msgspec.ValidationError as error:
                raise RegistryError(f"What {self} answers is no list of tags.") from error
            further = answer.links.get("next", {}).get("url")
            return None if further is None else address(answer.url, further)

        return self._patiently(ask)

    def _mount(self, digest: str, source: Repository) -> bool:
        """Whether it could be mounted; a registry that doesn't begins an upload, which then expires, or refuses."""
        scope = (*self._scope, f"repository:{source.name}:pull")
        query = urlencode({"mount": digest, "from": source.name})
        answer = self.registry.send("POST", f"/v2/{self.name}/blobs/uploads/?{query}", scope)
        if answer.status_code in _NOT_MOUNTED:
            return False
        check(answer, f"to mount the blob {digest} from {source.name}")
        return bool(answer.status_code == requests.codes.created)

    def _begin(self) -> str:
        answer = self._ask("POST", "blobs/uploads/")
        check(answer, f"an upload to {self.name}")
        return self._location(answer)

    def _location(self, answer: requests.Response) -> str:
        if "Location" not in answer.headers:
            raise RegistryError(f"{self} takes an upload, and doesn't say where.")
        return address(answer.url, answer.headers["Location"])

    def _send_blob(self, descriptor: Descriptor, content: Iterable[bytes], progress: Progress) -> None:
        """In one piece, which every registry takes: what breaks off is sent anew."""
        body = _Body(_watched(content, self.registry.patience, progress), descriptor.size)
        self._end_upload(self._begin(), descriptor, body)

    def _end_upload(self, location: str, descriptor: Descriptor, data: bytes | _Body) -> None:
        query = urlencode({"digest": descriptor.digest})
        url = f"{location}{'&' if urlsplit(location).query else '?'}{query}"
        answer = self._send_bytes("PUT", url, data)
        _check_upload(answer, f"the blob {self.name}@{descriptor.digest}")

    def _send_bytes(self, method: str, url: str, data: bytes | Iterable[bytes]) -> requests.Response:
        kind = {"Content-Type": "application/octet-stream"}
        return self.registry.send(method, url, self._scope, headers=kind, data=data, silence=STORING_SECONDS)

    def _ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, data: bytes | None = None
    ) -> requests.Response:
        return self.registry.send(method, f"/v2/{self.name}/{path}", self._scope, headers=headers, data=data)

    def _patiently(self, attempt: Callable[[], T]) -> T:
        return self.registry.patience.run(str(self), attempt)


class _Body:
    """A blob on its way, of which requests must know the length."""

    def __init__(self, content: Iterable[bytes], size: int) -> None:
        self._content = content
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._content)


def _check_upload(answer: requests.Response, what: str) -> None:
    """Raise where an upload isn't taken: one that the registry forgot, say since it was restarted, begins anew."""
    if answer.status_code == requests.codes.not_found:
        raise Transient(f"the registry forgot the upload of {what}")
    if answer.is_redirect:
        elsewhere = urlsplit(address(answer.url, answer.headers["Location"])).hostname
        raise RegistryError(
            f"The registry wants {what} sent elsewhere, to {elsewhere}, which isn't followed."
        )
    check(answer, what)


def _watched(content: Iterable[bytes], patience: Patience, progress: Progress) -> Iterator[bytes]:
    """A blob on its way, which ends with the run."""
    sent = 0
    for chunk in content:
        patience.check()
        yield chunk
        sent += len(chunk)
        progress(sent)


def _received(answer: requests.Response, what: str, size: int) -> Iterator[bytes]:
    """A blob of another registry's, as it comes."""
    got = 0
    for chunk in _pieces(answer):
        got += len(chunk)
        yield chunk
    if got != size:
        raise RegistryError(f"The blob {what} is damaged: it has {got} bytes, and should have {size}.")


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    try:
        yield from answer.iter_content(CHUNK)
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        raise Transient("the connection broke off in the middle of a layer") from error
