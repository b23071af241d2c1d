"""``streamflow-build promote``: a version that is in a registry gets its final name, without a build."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
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
    from streamflow_build.model.version import Version
    from streamflow_build.registry.client import Registry
    from streamflow_build.registry.retry import Patience
    from streamflow_build.report.clean import Mask


def promote(  # noqa: PLR0913, PLR0917 - these are the command's options
    context: typer.Context,
    before: Annotated[
        str, typer.Argument(metavar="FROM", help="The version that is there, such as v1.1.0-rc.2.")
    ],
    after: Annotated[str, typer.Argument(metavar="TO", help="The version that it becomes, such as v1.1.0.")],
    registry: Annotated[
        str | None,
        typer.Argument(help="Where it is; by default the registry that the release file has FROM in."),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="REGISTRY", help="Put it into this registry instead.")
    ] = None,
    force: Force = False,
    jobs: Jobs = None,
    username: Username = None,
    password_stdin: PasswordStdin = False,
    output: Output = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Give a version that was pushed its final name, without a build.

    Its version label changes, and no layer does or moves.
    With --to the images are copied to another registry, past the local engine. --username is for where they go.
    """
    started = time.monotonic()
    from streamflow_build.config import load
    from streamflow_build.model.version import Version
    from streamflow_build.plan.publish import PublishGoal
    from streamflow_build.publish import release_file
    from streamflow_build.publish.from_registry import source_of
    from streamflow_build.publish.run import publish
    from streamflow_build.registry.credentials import passwords
    from streamflow_build.registry.retry import Patience
    from streamflow_build.report.clean import Mask
    from streamflow_build.report.publish import observing
    from streamflow_build.report.run import Manner

    project = load(context.obj)
    release_file.check_writable(output or project.root / release_file.FILE)
    source, target = Version.parse(before), Version.parse(after)
    copied_to = registry_of(project, to) if to else None
    there = (
        registry_of(project, registry) if registry is not None else _noted(project, source, target, copied_to)
    )
    goal = PublishGoal(project.services, target, project.tags, copied_to or there, force)
    jobs = jobs or len(project.services)
    given = given_credentials(username, password_stdin)
    names = tuple(service.name for service in project.services)
    mask, manner = Mask(passwords(given, os.environ)), Manner(quiet=quiet, json=as_json)
    with (
        observing(names, mask, manner, sys.stdout, sys.stderr) as observer,
        _both(project, there, goal.registry, given, Patience(observer.note), mask, jobs) as (
            origin,
            destination,
        ),
    ):
        make_repositories(project, goal)
        report, cause = publish(
            goal,
            destination,
            observer,
            source=source_of(goal, origin, there, source, jobs=jobs),
            jobs=jobs,
            started=started,
        )
    judge(report, cause)
    release_file.note(project.root, output, report)


@contextmanager
def _both(  # noqa: PLR0913, PLR0917 - what it takes to open a registry, and where from
    project: "Project",
    there: str,
    target: str,
    given: "Credentials | None",
    patience: "Patience",
    mask: "Mask",
    jobs: int,
) -> "Iterator[tuple[Registry, Registry]]":
    """The registry where the images are, and that where they go; one where both are the same."""
    with closing(opened(project, target, given, patience, mask, jobs=jobs)) as destination:
        destination.reach()
        if there.partition("/")[0] == destination.host:
            yield destination, destination
            return
        with closing(opened(project, there, None, patience, mask, jobs=jobs)) as origin:
            origin.reach()
            yield origin, destination


def _noted(project: "Project", version: "Version", target: "Version", copied_to: str | None) -> str:
    """The registry that the release file has a version in, which isn't that where it is copied to.

    Raises UsageError where it isn't one.
    """
    from streamflow_build.publish import release_file

    noted = release_file.read(project.root / release_file.FILE)
    if noted is None or noted.version != str(version):
        noted = release_file.read(project.root / release_file.of_version(str(version))) or noted
    held = () if noted is None or noted.version != str(version) else noted.registries
    there = tuple(each.registry for each in held if each.registry != copied_to)
    if len(there) != 1:
        many = f"in {', '.join(there)}" if there else "in no registry"
        if held and not there:
            many = f"in {copied_to} alone, which is where it goes"
        other = f"; it is about {noted.version}" if noted is not None and not held else ""
        named = there[0] if there else "ghcr.io/org"
        copy = f" --to {copied_to}" if copied_to else ""
        raise UsageError(
            f"{release_file.FILE} has {version} {many}{other}.",
            hint=f"Name the registry: streamflow-build promote {version.typed} {target.typed} {named}{copy}",
        )
    return there[0]
