"""``streamflow-build push``: the services' images into a registry."""

import os
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamflow_build.cli.arguments import registry_of
from streamflow_build.cli.publishing import (
    AsJson,
    Force,
    Jobs,
    Output,
    PasswordStdin,
    Quiet,
    Username,
    given_credentials,
    judge,
    make_repositories,
    opened,
)
from streamflow_build.errors import UsageError

if TYPE_CHECKING:
    from streamflow_build.model.credentials import Credentials
    from streamflow_build.model.project import Project
    from streamflow_build.report.run import Manner


def push(  # noqa: PLR0913, PLR0917 - these are the command's options
    context: typer.Context,
    registry: Annotated[
        str, typer.Argument(help="Where to: a name of streamflow.yaml, or an address like ghcr.io/org.")
    ],
    version: Annotated[
        str | None,
        typer.Argument(
            help="A version that was built; by default the newest that the engine has of all services."
        ),
    ] = None,
    force: Force = False,
    jobs: Jobs = None,
    username: Username = None,
    password_stdin: PasswordStdin = False,
    output: Output = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Push the services' images under their version's tags.

    Each tag is read back.
    A full version is never overwritten with other content; floating tags move last, and never back.
    """
    started = time.monotonic()
    from streamflow_build.config import load
    from streamflow_build.report.run import Manner

    project = load(context.obj)
    if _is_version(registry):
        raise UsageError(
            f"{registry!r} is a version, and a registry comes first.",
            hint=f"Write it so: streamflow-build push ghcr.io/org {registry}",
        )
    push_images(
        project,
        registry_of(project, registry),
        version,
        force=force,
        jobs=jobs or len(project.services),
        given=given_credentials(username, password_stdin),
        manner=Manner(quiet=quiet, json=as_json),
        output=output,
        started=started,
    )


def _is_version(text: str) -> bool:
    from streamflow_build.model.version import Version

    try:
        Version.parse(text)
    except UsageError:
        return False
    return True


def push_images(  # noqa: PLR0913 - these are the command's options
    project: "Project",
    registry: str,
    version: str | None,
    *,
    force: bool,
    jobs: int,
    given: "Credentials | None",
    manner: "Manner",
    output: Path | None,
    started: float,
) -> None:
    """Push to a host and namespace, and note it in the release file. Raises what keeps an image from being there."""
    from streamflow_build.engine.docker_engine import connect
    from streamflow_build.plan.publish import PublishGoal
    from streamflow_build.publish import release_file
    from streamflow_build.publish.from_engine import EngineImages
    from streamflow_build.publish.local import images_of, version_of
    from streamflow_build.publish.run import publish
    from streamflow_build.registry.credentials import passwords
    from streamflow_build.registry.retry import Patience
    from streamflow_build.report.clean import Mask
    from streamflow_build.report.publish import observing

    release_file.check_writable(output or project.root / release_file.FILE)
    with closing(connect()) as engine:
        goal = PublishGoal(
            project.services, version_of(project, engine, version), project.tags, registry, force
        )
        source = EngineImages(engine, images_of(goal, engine), goal, jobs=jobs)
        mask = Mask(passwords(given, os.environ))
        with (
            observing(tuple(source.images), mask, manner, sys.stdout, sys.stderr) as observer,
            closing(opened(project, registry, given, Patience(observer.note), mask, jobs=jobs)) as there,
        ):
            there.reach()
            make_repositories(project, goal)
            report, cause = publish(
                goal,
                there,
                observer,
                source=source,
                jobs=jobs,
                started=started,
            )
    judge(report, cause)
    release_file.note(project.root, output, report)
