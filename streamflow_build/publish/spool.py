"""What the engine gives out, kept until it is sent: each blob once, layers compressed, in a file without a name."""

from __future__ import annotations

import hashlib
import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import IO

import msgspec

from streamflow_build.engine.interface import Engine, Readable
from streamflow_build.errors import EngineError, Interrupted, RegistryError
from streamflow_build.publish.blob import Blob
from streamflow_build.publish.packing import MEMBER, packed

_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})")


class Export(msgspec.Struct, frozen=True):
    """Images that are exported together, by ids, and which of their layers are wanted.

    Of the classic store these are packed; of the containerd store, where it is None, all blobs are taken as they are.
    """

    images: tuple[str, ...]
    layers: frozenset[str] | None


class Spool:
    """Images exported. Blobs are asked for, from any thread, by the names that the engine has for them.

    These are digests: of a configuration or a manifest, of a layer as the classic image store knows it, unpacked
    (its diff id), of a layer as the containerd store has it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._changed = threading.Condition()
        self._running = 0
        self._taken: set[str] = set()
        self._blobs: dict[str, Blob] = {}
        self._trouble: BaseException | None = None

    def begin(self, *exports: Export) -> None:
        """Export images in the background."""
        self._running = len(exports)
        for export in exports:
            # A thread that waits for the engine must not keep the program from its end.
            threading.Thread(target=self._run, args=(export,), name="export", daemon=True).start()

    def blob(self, name: str) -> Blob:
        """Wait for a blob to begin. Raises EngineError where the engine doesn't give it, RegistryError, Interrupted."""
        with self._changed:
            self._changed.wait_for(
                lambda: name in self._blobs or self._trouble is not None or not self._running
            )
            if name in self._blobs:
                return self._blobs[name]
            if self._trouble is not None:
                raise self._trouble
        raise EngineError(
            f"The Docker Engine gave out an image without {name}, which belongs to it.",
            hint="Build the image again with --no-cache: the engine doesn't have all of it.",
        )

    def cancel(self) -> None:
        """Wait for nothing any more."""
        with self._changed:
            self._trouble = self._trouble or Interrupted("Interrupted.")
            self._changed.notify_all()

    def _run(self, export: Export) -> None:
        trouble: BaseException | None = None
        try:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - blobs are read from it as long as there are any
            self._engine.export(export.images, partial(self._take, file, export))
        except OSError as error:
            trouble = _no_room("", error)
        except BaseException as error:  # noqa: BLE001 - whoever waits for a blob raises it
            trouble = error
        self._end(trouble)

    def _end(self, trouble: BaseException | None) -> None:
        with self._changed:
            self._running -= 1
            self._trouble = self._trouble or trouble
            self._changed.notify_all()

    def _take(self, file: IO[bytes], export: Export, path: str, content: Readable) -> bool:
        named = _named(path)
        if export.layers is None:
            pack, wanted = False, named is not None
        else:
            # Engines before 25 name no digests: <id>/layer.tar is a layer, <digest>.json a configuration.
            pack = named in export.layers or path.endswith("/layer.tar")
            wanted = pack or named in export.images or (named is None and path.endswith(".json"))
        if wanted and self._is_first(named):
            self._write(file, content, named, pack=pack)
        return export.layers is None or not self._taken.issuperset((*export.images, *export.layers))

    def _write(self, file: IO[bytes], content: Readable, named: str | None, *, pack: bool) -> None:
        blob = Blob(file, self._until)
        if named is not None:
            self._tell(lambda: self._blobs.update({named: blob}))
        given, made = hashlib.sha256(), hashlib.sha256()
        pieces = _hashed(iter(partial(content.read, MEMBER), b""), given)
        for piece in packed(pieces) if pack else pieces:
            made.update(piece)
            _keep(file, piece)
            self._tell(blob.grow)
        digest = f"sha256:{given.hexdigest()}"
        if named not in {None, digest}:
            raise EngineError(
                f"The Docker Engine gave out {named} damaged.", hint="Look at the engine's disk."
            )
        blob.finish(f"sha256:{made.hexdigest()}")
        self._tell(lambda: self._blobs.update({digest: blob}))

    def _until(self, so: Callable[[], bool]) -> None:
        """Wait until something is so of a blob that began. Raises what made an export end."""
        with self._changed:
            self._changed.wait_for(lambda: so() or self._trouble is not None)
            if self._trouble is not None and not so():
                raise self._trouble

    def _tell(self, change: Callable[[], object]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()

    def _is_first(self, named: str | None) -> bool:
        """Whether no other export has it already."""
        with self._changed:
            if named in self._taken:
                return False
            if named is not None:
                self._taken.add(named)
        return True


def _keep(file: IO[bytes], piece: bytes) -> None:
    try:
        file.write(piece)
        file.flush()
    except OSError as error:  # which would be taken for the engine's end
        raise _no_room(f" in {tempfile.gettempdir()}", error) from error


def _no_room(where: str, error: OSError) -> RegistryError:
    return RegistryError(
        f"The layers can't be kept{where} until they are sent: {error.strerror}.",
        hint="Make room there, or name another folder in TMPDIR.",
    )


def _hashed(pieces: Iterable[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for piece in pieces:
        digest.update(piece)
        yield piece


def _named(path: str) -> str | None:
    """The digest that an archive's path names; None for what isn't named by one."""
    found = _BLOB.fullmatch(path)
    return None if found is None else f"sha256:{found[1]}"
