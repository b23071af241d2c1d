"""The program's edge: runs a command and turns what went wrong into a message and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from streamflow_build.errors import Interrupted, StreamflowError


def main(arguments: list[str] | None = None) -> int:
    """Run the command line, the process's own where ``arguments`` is None; gives the exit code, see ``errors``."""
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt)
        from streamflow_build.cli import app  # noqa: PLC0415 - Ctrl-C has its answer before anything slow begins

        app(args=arguments, prog_name="streamflow-build")
    except StreamflowError as error:
        print(f"streamflow-build: {error}", file=sys.stderr)  # noqa: T201 - this is the program's voice
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output went away (`| head`); Python would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    return 0


def _interrupt(number: int, _frame: FrameType | None) -> None:
    # A second signal ends the process at once; the engine then ends what it builds for it by itself.
    signal.signal(number, signal.SIG_DFL)
    raise Interrupted("Interrupted.")


if __name__ == "__main__":
    sys.exit(main())
