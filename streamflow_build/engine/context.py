"""What the engine may know a build's context by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import chain

from streamflow_build.model.image import ContextFile


def shared_key(files: Iterable[ContextFile]) -> str:
    """The same for the same files, and another one for others.

    The engine keeps the context of a key, and asks only for the files whose size or time isn't what it was
    (https://github.com/moby/buildkit, ``source/local/source.go``). All files have one time, so that it must not
    take a context for another one's.
    """
    digest = hashlib.sha256()
    for part in chain.from_iterable(file.identity for file in files):
        digest.update(part)
    return digest.hexdigest()
