"""Everything that can go wrong, as one tree; the class carries the exit code.

StreamflowError
├── ConfigError          2   streamflow.yaml, or what it names, is wrong
├── UsageError           2   the command line asks for something that doesn't exist
├── EngineError          3   no engine answers, or it is too old, or it went away
├── BuildError           4   at least one image could not be built
├── CheckError           5   a check said no, such as a size budget
├── RegistryError        6   a registry refused
└── DriftError           7   a derived file differs from what streamflow.yaml says

Interrupted             130   the user stopped it; outside of the tree, so that no ``except Exception`` hides it
"""

from __future__ import annotations

from typing import ClassVar


class StreamflowError(Exception):
    """A failure with a message for the user; raised anywhere, caught once, at the program's edge.

    The message says what is wrong and where; ``hint`` says what to do next and is printed on a line of its own.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n{self.hint}"


class ConfigError(StreamflowError):
    """streamflow.yaml, a template or a file they name is missing or wrong."""

    exit_code = 2


class UsageError(StreamflowError):
    """The command line asks for something that doesn't exist, or contradicts itself."""

    exit_code = 2


class EngineError(StreamflowError):
    """No Docker Engine answers, the one that answers can't be used, or it went away."""

    exit_code = 3


class BuildError(StreamflowError):
    """At least one image could not be built."""

    exit_code = 4


class CheckError(StreamflowError):
    """A check of what was built failed."""

    exit_code = 5


class RegistryError(StreamflowError):
    """A registry refused, or what it holds isn't what was sent."""

    exit_code = 6


class DriftError(StreamflowError):
    """A committed, derived file differs from what streamflow.yaml says."""

    exit_code = 7


class Interrupted(BaseException):
    """The user stopped the run: comes at any moment, in whatever library runs then, like KeyboardInterrupt."""

    exit_code: ClassVar[int] = 130
