"""Docker Compose on an environment's files. What it is told: https://docs.docker.com/reference/cli/docker/compose/."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn

import msgspec

from streamflow_build.errors import EngineError, UsageError
from streamflow_build.model.image import OCI

OLDEST = (2, 24, 4)
"""The first Compose that knows ``!override``, which an override takes ports away with."""
_ANSWER_SECONDS = 30
_NO_VERSION = "it says nothing of a version."
_MOST_WORDS = 300
_OBTAIN = "Install the Compose plugin, 2.24.4 or newer: https://docs.docker.com/compose/install/"

# What these do concerns containers that are there, whatever a release says.
_OF_WHAT_RUNS = {
    *("attach", "cp", "down", "events", "exec", "images", "kill", "logs", "ls", "pause", "port", "ps"),
    *("help", "restart", "rm", "start", "stats", "stop", "top", "unpause", "version", "volumes", "wait"),
}
# What follows these belongs to them, and is no command.
_WITH_A_VALUE = {
    *("--ansi", "--env-file", "--file", "-f", "--parallel", "--profile", "--progress"),
    *("--project-directory", "--project-name", "-p"),
}
_HELP = {"--help", "-h"}


def starts_something(arguments: tuple[str, ...]) -> bool:
    """Whether docker compose would need the images that an environment runs; in doubt it would."""
    words = iter(arguments)
    for word in words:
        if word in _WITH_A_VALUE:
            next(words, None)
        elif word in _HELP:
            return False
        elif not word.startswith("-"):
            return word not in _OF_WHAT_RUNS
    return True


def check() -> None:
    """See that Docker Compose is there and new enough. Raises EngineError."""
    try:
        found = subprocess.run(
            ["docker", "compose", "version", "--short"],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_ANSWER_SECONDS,
        )
    except OSError as error:
        raise _not_there(error) from error
    except subprocess.TimeoutExpired:
        raise EngineError(
            f"`docker compose version` gave no answer within {_ANSWER_SECONDS} seconds.",
            hint="Run it by itself, and see what it waits for.",
        ) from None
    numbers = re.match(r"v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})", found.stdout.strip())
    if found.returncode != 0 or numbers is None:
        lines = (line.strip() for line in found.stderr.splitlines())
        # It warns of a configuration that it can't read, and goes on.
        said = next((line for line in lines if line and not line.startswith("WARNING")), _NO_VERSION)
        raise EngineError(
            f"docker has no Compose plugin: `docker compose version` fails: {said[:_MOST_WORDS]}",
            hint=_OBTAIN,
        )
    if tuple(map(int, numbers.groups())) < OLDEST:
        raise EngineError(f"Docker Compose {numbers[0]} is too old.", hint=_OBTAIN)


class Compose(msgspec.Struct, frozen=True):
    """Docker Compose on an environment's files in the project's folder, ``root``.

    ``name`` is what Compose calls the environment by. Variables come from ``.env.<environment>`` where that is there,
    else from ``.env``, as Compose does.
    """

    root: Path
    name: str
    environment: str
    files: tuple[str, ...]

    @property
    def line(self) -> tuple[str, ...]:
        """The beginning of the command line; arguments follow."""
        return (
            *self._beginning,
            *(word for file in self.files for word in ("--file", str(self.root / file))),
        )

    @property
    def _beginning(self) -> tuple[str, ...]:
        own = self.root / f".env.{self.environment}"
        for file in (own, self.root / ".env"):
            # A pipe would be waited for, and read up before docker compose reads it.
            if file.exists() and not (file.is_file() or file.is_dir()):
                raise UsageError(
                    f"{file} is no file that can hold secrets.",
                    hint="Put a file there, or set environment variables.",
                )
        return (
            "docker",
            "compose",
            *("--project-name", self.name),
            *("--project-directory", str(self.root)),
            # Of what is no file Compose complains; another file's secrets would be wrong ones.
            *(("--env-file", str(own)) if os.path.lexists(own) else ()),
        )

    def versions(self, services: Iterable[str]) -> tuple[str, ...]:
        """The versions of these services that run now, by their images' labels; none where docker doesn't tell."""
        label = "com.docker.compose.{}".format
        found = subprocess.run(
            [
                *("docker", "ps", "--filter", f"label={label('project')}={self.name}"),
                *("--format", f'{{{{.Label "{label("service")}"}}}} {{{{.Label "{OCI}.version"}}}}'),
            ],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        named = frozenset(services)
        pairs = (line.split(maxsplit=1) for line in found.stdout.splitlines())
        return tuple(sorted({pair[1] for pair in pairs if len(pair) > 1 and pair[0] in named}))

    def variables(self) -> dict[str, str] | None:
        """What it has for the variables of files. None where it doesn't tell: what follows says why."""
        found = subprocess.run(
            [*self._beginning, "--file", "-", "config", "--environment"],
            input="services: {}",
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if found.returncode != 0:
            return None
        pairs = (line.partition("=") for line in found.stdout.splitlines())
        # The process's own count more than those of files; and a value of several lines is told by its first.
        return {name: value for name, equals, value in pairs if equals} | dict(os.environ)

    def run(self, arguments: tuple[str, ...], unless_set: Mapping[str, str]) -> NoReturn:
        """Replace this process by it, which so gets the terminal, the signals and the exit code. Raises EngineError.

        Its environment is this process's, with what of ``unless_set`` is not there, or is empty.
        """
        environ = {**os.environ, **{n: v for n, v in unless_set.items() if not os.environ.get(n)}}
        sys.stdout.flush()
        sys.stderr.flush()
        # Python ignores it, and what it becomes would, too.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        words = (*self.line, *arguments)
        try:
            os.execvpe(words[0], words, environ)  # noqa: S606 - a list of arguments, no shell
        except OSError as error:
            raise _not_there(error) from error


def _not_there(error: OSError) -> EngineError:
    return EngineError(f"docker can't be run: {error.strerror}.", hint=_OBTAIN)
