"""What goes into an image, by name, and the hash of it all: same fingerprint, no build."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import chain

import msgspec

from streamflow_build.model.image import ContextFile


class Inputs(msgspec.Struct, frozen=True):
    """Each input's name and the hash of its content (16 hexadecimal digits), sorted by name."""

    hashes: tuple[tuple[str, str], ...]

    @property
    def fingerprint(self) -> str:
        """The hash of all inputs: 64 hexadecimal digits of SHA-256."""
        return _digest(f"{name}\0{value}\n".encode() for name, value in self.hashes).hexdigest()

    def dumps(self) -> str:
        """The text of the image's inputs label: a JSON object, name to hash."""
        return msgspec.json.encode(dict(self.hashes)).decode()


def inputs(
    *,
    base: tuple[str, str],
    context: tuple[ContextFile, ...],
    paths: tuple[str, ...],
    build_args: dict[str, str],
    labels: dict[str, str],
) -> Inputs:
    """The inputs of one image.

    ``base`` is the base image's reference and id; the id also stands for the platform. ``paths`` are the
    declared sources: a file of the context belongs to the longest of them that holds it, else to itself.
    ``labels`` are those that say the same of every version.
    """
    groups: dict[str, list[ContextFile]] = {}
    for file in context:
        owners = [p for p in paths if file.path == p or file.path.startswith(f"{p}/")]
        groups.setdefault(max(owners, key=len, default=file.path), []).append(file)
    hashes = {
        name: _digest(chain.from_iterable(file.identity for file in files)).hexdigest()[:16]
        for name, files in groups.items()
    }
    hashes[f"base {base[0]}"] = _digest([base[1].encode()]).hexdigest()[:16]
    if labels:
        said = (f"{name}\0{value}\n".encode() for name, value in labels.items())
        hashes["labels"] = _digest(said).hexdigest()[:16]
    for name, value in build_args.items():
        hashes[f"build argument {name}"] = _digest([value.encode()]).hexdigest()[:16]
    return Inputs(tuple(sorted(hashes.items())))


def changed(before: str, now: Inputs) -> tuple[str, ...]:
    """The names of the inputs that differ from an image's inputs label, which may be missing or not ours."""
    try:
        old = msgspec.json.decode(before, type=dict[str, str])
    except msgspec.DecodeError:
        return ()
    new = dict(now.hashes)
    return tuple(name for name in sorted({*old, *new}) if old.get(name) != new.get(name))


def _digest(parts: Iterable[bytes]) -> hashlib._Hash:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest
