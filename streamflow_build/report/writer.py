"""Writing to the standard streams: whole pieces, in any encoding, to readers that may go away."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TextIO

from streamflow_build.errors import UsageError

_ASCII = str.maketrans({"…": "...", "—": "-", "·": "-", "→": "->", "━": "#", "─": "-"})


class Writer:
    """A text stream that several threads may write to. A piece is written whole.

    What the stream's encoding lacks is spelt differently. A reader that went away (``| head``) is no error:
    what follows is dropped. So it is for any other fault of the stream, unless it is ``essential``.
    """

    def __init__(self, stream: TextIO, *, essential: bool = False) -> None:
        self._stream = stream
        self._essential = essential
        self._lock = threading.Lock()
        self._gone = False

    @property
    def encoding(self) -> str:
        return self._stream.encoding or "utf-8"

    def spelt(self, text: str) -> str:
        """The text in characters that the stream can write."""
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError:
            return text.translate(_ASCII).encode(self.encoding, errors="replace").decode(self.encoding)
        return text

    def write(self, text: str) -> None:
        """Write the text, and flush. Raises UsageError when an essential stream takes nothing, being full."""
        with self._lock:
            if self._gone:
                return
            try:
                self._stream.write(self.spelt(text))
                self._stream.flush()
            except BrokenPipeError:
                self._give_up()
            except OSError as error:
                self._give_up()
                if self._essential:
                    raise UsageError(
                        f"The report can't be written: {error.strerror}.",
                        hint="Make room or point the output elsewhere, and run it again.",
                    ) from error

    def flush(self) -> None:
        """Nothing is held back; Rich, which writes to this as to a file, asks for it."""

    def _give_up(self) -> None:
        self._gone = True
        # The interpreter flushes the stream once more when it ends, and would complain then.
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
