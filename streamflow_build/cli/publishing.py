"""What the commands share that write to a registry: their options, the log-in, the verdict."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamflow_build.errors import EngineError, Interrupted, RegistryError, StreamflowError, UsageError

if TYPE_CHECKING:
    from streamflow_build.model.credentials import Credentials
    from streamflow_build.model.project import Project
    from streamflow_build.model.release import PublishReport
    from streamflow_build.plan.publish import PublishGoal
    from streamflow_build.registry.client import Registry
    from streamflow_build.registry.retry import Patience
    from streamflow_build.report.clean import Mask

Force = Annotated[
    bool, typer.Option("--force", help="Overwrite a full version that is there with other content.")
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", "-j", min=1, metavar="N", help="Services at once; by default all.")
]
Username = Annotated[
    str | None, typer.Option("--username", "-u", metavar="USER", help="Log in as; with --password-stdin.")
]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="The release file; by default .streamflow/release.json."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the result and what went wrong.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def given_credentials(username: str | None, password_stdin: bool) -> "Credentials | None":
    """What the command line says of who the user is; reads the password. Raises UsageError for half of it."""
    from streamflow_build.model.credentials import Credentials

    if username is None and not password_stdin:
        return None
    if username is None or not password_stdin:
        has, lacks = ("--username", "--password-stdin") if username else ("--password-stdin", "--username")
        raise UsageError(
            f"{has} is given without {lacks}.",
            hint="Give both: … --username me --password-stdin < password.txt",
        )
    how = "Give it: … --password-stdin < password.txt"
    try:
        # Python has no stream where the caller closed it.
        password = b"" if sys.stdin is None else sys.stdin.buffer.read()
        word = password.decode().rstrip("\r\n")
    except OSError as error:
        raise UsageError(f"Standard input can't be read: {error.strerror}.", hint=how) from None
    except UnicodeDecodeError:
        raise UsageError("The password on standard input is no UTF-8 text.", hint=how) from None
    if not word:
        raise UsageError("There is no password on standard input.", hint=how)
    return Credentials(username, word)


def opened(  # noqa: PLR0913 - what it takes to open a registry
    project: "Project",
    prefix: str,
    given: "Credentials | None",
    patience: "Patience",
    mask: "Mask",
    *,
    jobs: int,
) -> "Registry":
    """The registry of a host and namespace, with the user's credentials for it; it is closed by the caller.

    The mask learns the password once it is known.
    """
    from streamflow_build.engine.credentials import credentials
    from streamflow_build.registry.client import Registry
    from streamflow_build.registry.credentials import chosen

    host = prefix.partition("/")[0]
    name = next((known.name for known in project.registries if known.url == prefix), None)
    ask = chosen(given, name, os.environ, lambda: credentials(host))

    def learned() -> "Credentials":
        found = ask()
        mask.learn(found.password.encode())
        return found

    return Registry(host, learned, patience, connections=jobs)


def make_repositories(project: "Project", goal: "PublishGoal") -> None:
    """Make the repositories that the goal's registry lacks, where streamflow.yaml says so. Raises RegistryError."""
    from streamflow_build.model.reference import Reference

    if any(known.url == goal.registry and known.create_repositories for known in project.registries):
        from streamflow_build.registry.ecr import create_repositories

        wanted = [Reference.parse(goal.repository(service)) for service in goal.services]
        create_repositories(wanted[0].registry, [each.repository for each in wanted])


def judge(report: "PublishReport", cause: StreamflowError | Interrupted | None) -> None:
    """Raise what a run amounts to that didn't publish everything."""
    from streamflow_build.model.release import Missing

    if isinstance(cause, Interrupted):
        raise cause
    missing = [each.service for each in report.images if isinstance(each, Missing)]
    if missing:
        # The causes have been printed with the report, each once.
        error = RegistryError if cause is None else EngineError
        raise error(
            f"{len(missing)} of {len(report.images)} images could not be published: {', '.join(missing)}.",
            hint="Run the command again: it sends what is missing, and moves floating tags when all is there.",
        )
