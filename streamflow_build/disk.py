"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_MODE = 0o644


def replace(path: Path, content: bytes) -> None:
    """Write a file, and the folders above it; until it is whole, what was there stays. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(_MODE)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
