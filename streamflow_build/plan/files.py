"""Files that a user or the machine names: read only where that ends."""

from __future__ import annotations

import errno
import stat
from pathlib import Path


def read(place: Path, most: int) -> bytes:
    """A regular file's content, of at most ``most`` bytes.

    Raises OSError, whose ``strerror`` says what is wrong: as Python does, IsADirectoryError for a folder, EINVAL
    for what is no file either (whoever opens a pipe waits for what may never come, and a device may have no end),
    EFBIG for a file that is larger.
    """
    mode = place.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "it is no file")
    with place.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes")
    return content
