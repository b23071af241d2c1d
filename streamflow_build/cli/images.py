"""``streamflow-build images``: build the services' images."""

import os
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from streamflow_build.cli.arguments import registry_of
from streamflow_build.cli.publishing import AsJson, Quiet
from streamflow_build.errors import (
    BuildError,
    CheckError,
    EngineError,
    Interrupted,
    StreamflowError,
    UsageError,
)

if TYPE_CHECKING:
    from streamflow_build.model.project import Project, Service
    from streamflow_build.model.report import ImagesReport
    from streamflow_build.model.version import Version
    from streamflow_build.plan.images import Goal, Material, Origin
    from streamflow_build.render.artefacts import Artefact
    from streamflow_build.report.run import Manner


def images(  # noqa: PLR0913, PLR0917 - these are the command's options
    context: typer.Context,
    version: Annotated[
        str | None,
        typer.Argument(help="A semantic version, such as v1.0.0; without it only latest is tagged."),
    ] = None,
    registry: Annotated[
        str | None,
        typer.Argument(
            help="Tag for this registry too: a name of streamflow.yaml, or an address like ghcr.io/org."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="SERVICE", help="Build this service; may be repeated."),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run every step again.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be built, and why; do nothing.")
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", min=1, metavar="N", help="Builds at once; by default CPUs of the engine + 4."
        ),
    ] = None,
    strict_sizes: Annotated[
        bool, typer.Option("--strict-sizes", help="Fail when an image is over its size budget.")
    ] = False,
    push: Annotated[
        bool, typer.Option("--push", help="Then push them to REGISTRY, as `push REGISTRY VERSION` does.")
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Build the services' images and tag them.

    What has not changed since its image was built is not built again.
    """
    started = time.monotonic()
    from streamflow_build.config import load
    from streamflow_build.plan.images import check_goal
    from streamflow_build.publish import release_file
    from streamflow_build.report.run import Manner

    if push:
        _check_push(version, registry, only, dry_run=dry_run)
    project = load(context.obj)
    if push:
        release_file.check_writable(project.root / release_file.FILE)
    manner = Manner(quiet=quiet, json=as_json)
    goal = _goal(project, project.select(tuple(only or ())), version, registry, no_cache)
    check_goal(goal)
    if dry_run:
        _foretell(project, goal, as_json=as_json)
        return
    report, cause = _carry_out(project, goal, manner, jobs=jobs, started=started)
    _judge(report, cause, strict_sizes)
    if push and version is not None and goal.registry is not None:
        _push(project, goal.registry, version, manner)


def _check_push(version: str | None, registry: str | None, only: list[str] | None, *, dry_run: bool) -> None:
    missing = [name for name, given in (("VERSION", version), ("REGISTRY", registry)) if given is None]
    if missing:
        raise UsageError(
            f"--push needs a {' and a '.join(missing)}.",
            hint="Name both: streamflow-build images v1.0.0 ghcr.io/org --push",
        )
    if only or dry_run:
        raise UsageError(
            f"--push publishes all services, which {'--only' if only else '--dry-run'} excludes.",
            hint="Leave one of the two out.",
        )


def _push(project: "Project", registry: str, version: str, manner: "Manner") -> None:
    from streamflow_build.cli.push import push_images

    push_images(
        project,
        registry,
        version,
        force=False,
        jobs=len(project.services),
        given=None,
        manner=manner,
        output=None,
        started=time.monotonic(),
    )


def _foretell(project: "Project", goal: "Goal", *, as_json: bool) -> None:
    from streamflow_build.engine.docker_engine import connect
    from streamflow_build.images import run
    from streamflow_build.report.dry_run import dry_run_text

    _, materials, made_from = _read(project, goal)
    with closing(connect()) as engine:
        bases = run.present_bases(goal.services, engine)
        planned = run.plan(project, goal, engine, bases=bases, materials=materials, origin=made_from)
    typer.echo(dry_run_text(run.dry_run(goal, planned), as_json=as_json), nl=False)


def _carry_out(
    project: "Project", goal: "Goal", manner: "Manner", *, jobs: int | None, started: float
) -> "tuple[ImagesReport, StreamflowError | Interrupted | None]":
    from streamflow_build.engine.docker_engine import connect
    from streamflow_build.images import run
    from streamflow_build.model.tags import plus_note
    from streamflow_build.render.artefacts import BUILD_PLACES
    from streamflow_build.render.disk import stale
    from streamflow_build.report.clean import Mask
    from streamflow_build.report.logs import log_path
    from streamflow_build.report.run import observing

    derived, materials, made_from = _read(project, goal)
    mask = Mask(value for material in materials.values() for value in material.confidential)
    names = tuple(service.name for service in goal.services)
    with (
        closing(connect()) as engine,
        observing(
            names, root=project.root, mask=mask, manner=manner, stdout=sys.stdout, stderr=sys.stderr
        ) as observer,
    ):
        if goal.version is not None and (note := plus_note(goal.version)) is not None:
            observer.note(note)
        if differing := stale(project.root, derived, BUILD_PLACES):
            observer.note(
                f"not what streamflow.yaml says: {', '.join(differing)}; run streamflow-build render"
            )
        bases = run.get_bases(project, goal.services, engine, observer)
        return run.run(
            goal,
            engine,
            observer,
            bases=bases,
            planned=run.plan(project, goal, engine, bases=bases, materials=materials, origin=made_from),
            jobs=jobs,
            log=lambda name: str(log_path(name)),
            started=started,
        )


def _read(project: "Project", goal: "Goal") -> "tuple[tuple[Artefact, ...], dict[str, Material], Origin]":
    """All that is read from the disk: the derived files as they should be, what images are made of, and whence."""
    from streamflow_build.plan.material import materials
    from streamflow_build.plan.origin import origin
    from streamflow_build.render.artefacts import build_files

    derived = build_files(project)
    texts = {artefact.path: artefact.text for artefact in derived}
    return derived, materials(project, goal.services, texts, os.environ), origin(project.root, _sources(goal))


def _sources(goal: "Goal") -> tuple[str, ...]:
    found = {path for service in goal.services for path in (*service.sources, service.requirements) if path}
    return tuple(sorted(found))


def _goal(
    project: "Project",
    services: "tuple[Service, ...]",
    version: str | None,
    registry: str | None,
    no_cache: bool,
) -> "Goal":
    from streamflow_build.model.tags import tags_of
    from streamflow_build.plan.images import Goal

    number = None if version is None else _version(project, version)
    return Goal(
        services=services,
        version=number,
        tags=tags_of(project.tags, number),
        registry=None if registry is None else registry_of(project, registry),
        no_cache=no_cache,
    )


def _version(project: "Project", word: str) -> "Version":
    from streamflow_build.model.version import Version

    try:
        return Version.parse(word)
    except UsageError as error:
        if any(service.name == word for service in project.services):
            hint = f"To build only that service: streamflow-build images --only {word}"
        elif any(registry.name == word for registry in project.registries):
            hint = f"A version comes first: streamflow-build images v1.0.0 {word}"
        else:
            raise
        raise UsageError(error.message, hint=hint) from None


def _judge(report: "ImagesReport", cause: StreamflowError | Interrupted | None, strict_sizes: bool) -> None:
    from streamflow_build.model.report import Built, Unchanged

    if isinstance(cause, Interrupted):
        raise cause
    missing = [o.service for o in report.images if not isinstance(o, Built | Unchanged)]
    if missing:
        # The causes have been printed with the report, each once.
        error = BuildError if cause is None else EngineError
        raise error(
            f"{len(missing)} of {len(report.images)} images could not be built: {', '.join(missing)}."
        )
    over = [o.service for o in report.images if isinstance(o, Built | Unchanged) and o.size.over_budget]
    if over and strict_sizes:
        raise CheckError(
            f"Over the size budget: {', '.join(over)}.",
            hint="Make them smaller, or raise size_budget in streamflow.yaml.",
        )
