"""The blobs of one repository: layers and configurations, which are known by their digests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from urllib.parse import urlencode, urlsplit

import requests

from streamflow_build.errors import RegistryError
from streamflow_build.registry.answers import address, check, pieces, whole
from streamflow_build.registry.manifest import LARGEST, Descriptor, digest_of
from streamflow_build.registry.named import Named
from streamflow_build.registry.retry import Patience, Transient
from streamflow_build.registry.transport import STORING_SECONDS

CHUNK = 1 << 18
"""Bytes that are sent at a time: each such piece must pass within the seconds that a connection may take."""
Content = Callable[[], Iterable[bytes]]
"""Begins a blob, anew with each attempt to send it: its pieces."""
Progress = Callable[[int], None]
"""Told how many bytes of a blob are sent."""

_UNTOLD = -1
# No blob is as long as what has so many digits, and of thousands Python makes no number.
_DIGITS = 20
_NOT_MOUNTED = frozenset({400, 403, 404, 405})
_REMOVE = "Have it removed from the registry's storage, and run the command again, which sends it."


def _unseen(_: int) -> None:
    """Nobody looks."""


class Blobs(Named):
    """A repository's blobs. Whatever is transient is tried again; every method raises RegistryError for the rest."""

    def check_writable(self) -> None:
        """See that the user may write here, before anything is sent: an upload is begun and given up."""
        location = self.patiently(self._begin)
        with suppress(RegistryError, Transient):  # an upload that can't be cancelled expires by itself
            self.registry.send("DELETE", location, self.scope)

    def holds(self, digest: str) -> bool:
        """Whether a blob is there."""
        return self._length(digest) is not None

    def has(self, part: Descriptor) -> bool:
        """Whether a blob is there, as long as it should be. Raises RegistryError where it has another length.

        No upload mends that: its digest is taken already.
        """
        length = self._length(part.digest)
        if length == 0 < part.size and self._gives(part):  # some say so of whatever isn't sent along
            return True
        if length not in {None, _UNTOLD, part.size}:
            raise RegistryError(
                f"The blob {self}@{part.digest} is damaged: it has {length} bytes of {part.size}.",
                hint=_REMOVE,
            )
        return length is not None

    def keeps(self, descriptor: Descriptor) -> bool:
        """Whether a small blob is there. Raises RegistryError where its content isn't of its digest."""
        return self._read(descriptor) is not None

    def read(self, descriptor: Descriptor) -> bytes:
        """A small blob's content, such as a configuration. Raises RegistryError where it isn't of its digest."""
        content = self._read(descriptor)
        if content is None:
            raise _lacks(self, descriptor)
        return content

    def upload(
        self, descriptor: Descriptor, content: Content, progress: Progress = _unseen, *, missing: bool = False
    ) -> None:
        """Put a blob there, unless it is there already; ``missing`` says that it is known not to be."""
        if missing or not self.holds(descriptor.digest):
            self.patiently(lambda: self._send_blob(descriptor, content(), progress))

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

        return self.patiently(send)

    def take(self, descriptor: Descriptor, source: Blobs, progress: Progress = _unseen) -> None:
        """Have a blob of another repository here: mounted where it is the same registry, else sent through."""
        if source.registry is self.registry and self.patiently(
            lambda: self._mount(descriptor.digest, source)
        ):
            return
        if self.holds(descriptor.digest):
            return

        def send() -> None:
            scope = (f"repository:{source.name}:pull",)
            path = f"/v2/{source.name}/blobs/{descriptor.digest}"
            with source.registry.send("GET", path, scope, stream=True) as answer:
                if answer.status_code == requests.codes.not_found:
                    raise _lacks(source, descriptor)
                check(answer, f"the blob {source.name}@{descriptor.digest}")
                self._send_blob(descriptor, _received(answer, source, descriptor), progress)

        self.patiently(send)

    def _read(self, descriptor: Descriptor) -> bytes | None:
        what = f"the blob {self.name}@{descriptor.digest}"

        def ask() -> bytes | None:
            with self.ask("GET", f"blobs/{descriptor.digest}", stream=True) as answer:
                if answer.status_code == requests.codes.not_found:
                    return None
                check(answer, what)
                if answer.status_code != requests.codes.ok:
                    raise RegistryError(f"{self.registry.host} answers {answer.status_code} for {what}.")
                content = whole(answer, LARGEST, f"{what}, of {self.registry.host},")
            if digest_of(content) != descriptor.digest:
                raise _damaged(self, descriptor)
            return content

        return self.patiently(ask)

    def _length(self, digest: str) -> int | None:
        """A blob's length in bytes, ``_UNTOLD`` where the registry doesn't tell; None where there is no such blob."""

        def ask() -> int | None:
            answer = self.ask("HEAD", f"blobs/{digest}")
            if answer.status_code == requests.codes.not_found:
                return None
            check(answer, f"the blob {self.name}@{digest}")
            told = answer.headers.get("Content-Length", "")
            return int(told) if told.isascii() and told.isdecimal() and len(told) < _DIGITS else _UNTOLD

        return self.patiently(ask)

    def _gives(self, part: Descriptor) -> bool:
        """Whether a blob has any content."""

        def ask() -> bool:
            with self.registry.send(
                "GET", f"/v2/{self.name}/blobs/{part.digest}", self.scope, stream=True
            ) as answer:
                check(answer, f"the blob {self.name}@{part.digest}")
                return any(pieces(answer, CHUNK))

        return self.patiently(ask)

    def _mount(self, digest: str, source: Blobs) -> bool:
        """Whether it could be mounted; a registry that doesn't begins an upload, which then expires, or refuses."""
        scope = (*self.scope, f"repository:{source.name}:pull")
        query = urlencode({"mount": digest, "from": source.name})
        answer = self.registry.send("POST", f"/v2/{self.name}/blobs/uploads/?{query}", scope)
        if answer.status_code in _NOT_MOUNTED:
            return False
        check(answer, f"to mount the blob {digest} from {source.name}")
        return bool(answer.status_code == requests.codes.created)

    def _begin(self) -> str:
        answer = self.ask("POST", "blobs/uploads/")
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
        return self.registry.send(method, url, self.scope, headers=kind, data=data, silence=STORING_SECONDS)


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


def _received(answer: requests.Response, source: Blobs, descriptor: Descriptor) -> Iterator[bytes]:
    """A blob of another registry's, as it comes."""
    got, seen = 0, hashlib.sha256()
    for chunk in pieces(answer, CHUNK):
        got += len(chunk)
        seen.update(chunk)
        yield chunk
    if got != descriptor.size:
        raise RegistryError(
            f"The blob {source}@{descriptor.digest} is damaged: it has {got} bytes, and should have {descriptor.size}.",
            hint=_REMOVE,
        )
    if descriptor.is_checkable and descriptor.digest != f"sha256:{seen.hexdigest()}":
        raise _damaged(source, descriptor)


def _damaged(blobs: Blobs, descriptor: Descriptor) -> RegistryError:
    return RegistryError(
        f"The blob {blobs}@{descriptor.digest} is damaged: its content is of another digest.",
        hint=f"Unless something between here and the registry changes what is sent: {_REMOVE[0].lower()}{_REMOVE[1:]}",
    )


def _lacks(blobs: Blobs, descriptor: Descriptor) -> RegistryError:
    return RegistryError(
        f"{blobs} lacks {descriptor.digest}, which an image there consists of.",
        hint="Push the image again, which sends it.",
    )
