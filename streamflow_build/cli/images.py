"""``streamflow-build images``: build the services' images."""

import os
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from streamflow_build.errors import BuildError, CheckError

if TYPE_CHECKING:
    from streamflow_build.model.project import Project, Service
    from streamflow_build.model.report import ImagesReport
    from streamflow_build.plan.images import Goal


def images(  # noqa: PLR0913 - these are the command's options
    context: typer.Context,
    version: Annotated[
        str | None, typer.Argument(help="A semantic version, such as v1.0.0; without it only latest is tagged.")
    ] = None,
    registry: Annotated[
        str | None,
        typer.Argument(help="Tag for this registry too: a name of streamflow.yaml, or an address like ghcr.io/org."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="SERVICE", help="Build this service; may be repeated.")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Run every step again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be built, and why; do nothing.")] = False,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, metavar="N", help="Builds at once; by default by engine CPUs.")
    ] = None,
    strict_sizes: Annotated[
        bool, typer.Option("--strict-sizes", help="Fail when an image is over its size budget.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the result and what went wrong.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Build the services' images and tag them.

    What has not changed since its image was built is not built again.
    """
    started = time.monotonic()
    from streamflow_build.build import run
    from streamflow_build.config import load
    from streamflow_build.engine.docker_engine import connect
    from streamflow_build.plan.material import material
    from streamflow_build.plan.origin import origin
    from streamflow_build.render.artefacts import artefacts
    from streamflow_build.report.clean import Mask
    from streamflow_build.report.logs import log_path
    from streamflow_build.report.run import Manner, observing

    project = load(context.obj)
    goal = _goal(project, project.select(tuple(only or ())), version, registry, no_cache)
    rendered = {artefact.path: artefact.text for artefact in artefacts(project)}
    materials = {service.name: material(project, service, rendered, os.environ) for service in goal.services}
    made_from = origin(project.root)
    engine = connect()
    try:
        with observing(
            tuple(service.name for service in goal.services),
            root=project.root,
            mask=Mask(value for found in materials.values() for value in found.secrets.values()),
            manner=Manner(quiet=quiet, json=as_json),
            stdout=sys.stdout,
            stderr=sys.stderr,
        ) as observer:
            bases = run.get_bases(project, goal.services, engine, observer)
            planned = run.plan(project, goal, engine, bases, materials, made_from)
            report, cause = run.run(
                project, goal, engine, observer, bases=bases, planned=planned,
                jobs=jobs or engine.info().cpus, log=lambda name: str(log_path(name)), started=started,
            )
    finally:
        engine.close()
    if cause is not None:
        raise cause
    _judge(report, strict_sizes)
