"""The program's edge: runs a command and turns what went wrong into a message and an exit code."""

from __future__ import annotations

import errno
import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn, TextIO

from streamflow_build.errors import Interrupted, StreamflowError, UsageError
from streamflow_build.model.signals import ending

READER_GONE = 128 + signal.SIGPIPE
"""The exit code where nobody reads the output to its end (``| head``), as of programs that the signal ends."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

_TOO_LITTLE = UsageError(
    "There is not enough memory, or there are too many processes and threads.",
    hint="Raise the limit (ulimit -v, ulimit -u, the container's), or ask for less: --jobs 1",
)
_NO_THREAD = "can't start new thread"
"""What Python says where the system gives it no thread."""

_GARBAGE = 100_000
"""How many objects come into being before Python looks for cycles of them that nobody holds."""


def program() -> NoReturn:
    """The console script: ``main`` as a process of its own.

    A run is short, and its memory goes when the process ends. So Python looks for garbage seldom, not at every
    thousandth object that an import makes, and doesn't take itself apart at the end: a fifth of the time of a run
    that finds nothing to build.
    """
    gc.set_threshold(_GARBAGE)
    os._exit(main())


def main(arguments: list[str] | None = None) -> int:
    """Run the command line, the process's own where ``arguments`` is None; gives the exit code, see ``errors``."""
    _open_streams()
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _drop(sys.stdout)
        return READER_GONE
    except OSError as error:
        if error.errno == errno.EIO:
            # The terminal is closed, and with it both streams.
            _drop(sys.stdout)
            return READER_GONE
        if error.errno not in _FULL:
            raise
        _drop(sys.stdout)
        return _say(UsageError(f"{error.filename or 'The output'} can't be written: {error.strerror}."))
    except MemoryError:
        return _say(_TOO_LITTLE)
    except RuntimeError as error:
        if str(error) != _NO_THREAD:
            raise
        return _say(_TOO_LITTLE)
    return code


def _open_streams() -> None:
    """A stream that the caller closed (``>&-``) is there, and takes what is written to nowhere.

    One that the caller made non-blocking would lose what its reader isn't quick enough for.
    """
    for number in (1, 2):
        with suppress(OSError):
            os.set_blocking(number, True)
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 - open as long as the process
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115


def _drop(stream: TextIO) -> None:
    # Python flushes once more when it ends, and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _say(error: StreamflowError | Interrupted) -> int:
    from streamflow_build.report.text import harmless  # noqa: PLC0415 - only where something went wrong

    try:
        # It may quote a registry, an engine or a file.
        print(harmless(f"streamflow-build: {error}"), file=sys.stderr, flush=True)  # noqa: T201 - the program's voice
    except OSError:
        # Nobody can be told; the exit code tells the rest.
        _drop(sys.stderr)
    return error.exit_code


def _run(arguments: list[str] | None) -> int:
    try:
        with _interruptible():
            from streamflow_build.cli import app  # noqa: PLC0415 - Ctrl-C has its answer before anything slow begins

            app(args=arguments, prog_name="streamflow-build")
    except (StreamflowError, Interrupted) as error:
        return _say(error)
    except SystemExit as done:
        # Typer ends with 1 when a pipe breaks, which would mean a bug; nothing else here does.
        return READER_GONE if done.code == 1 else int(done.code or 0)
    return 0


@contextmanager
def _interruptible() -> Iterator[None]:
    numbers = ending()
    for number in numbers:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        # All is done: what the interpreter does at its end has no answer to Interrupted.
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    # The same signal once more ends the process at once; the engine then ends what it builds for it by itself. But
    # others say the same wish again, and of a closed terminal both the kernel and the shell tell: they must not break
    # off what ends the run. (Not by SIG_IGN, of which Python complains where they came at the same moment.)
    for each in ending():
        signal.signal(each, signal.SIG_DFL if each == number != signal.SIGHUP else _unheeded)
    raise Interrupted("Interrupted.")


def _unheeded(_number: int, _frame: FrameType | None) -> None:
    """The run ends already."""


if __name__ == "__main__":
    program()
