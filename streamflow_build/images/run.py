"""The run of ``images``, as one visible sequence: bases, plan, builds, report."""

from __future__ import annotations

import time
from collections.abc import Mapping

import msgspec

from streamflow_build.engine.interface import Engine, EngineInfo
from streamflow_build.errors import Interrupted, RegistryError, StreamflowError
from streamflow_build.images.execute import LogPath, Lost, execute
from streamflow_build.images.notes import stays
from streamflow_build.images.observer import RunObserver
from streamflow_build.model.image import Image
from streamflow_build.model.project import Base, Project, Service
from streamflow_build.model.reference import Reference
from streamflow_build.model.report import (
    BaseUsed,
    EngineUsed,
    Failed,
    ImagesReport,
    Outcome,
    PlannedImage,
    PlanReport,
    not_built,
)
from streamflow_build.plan.images import Build, Goal, Keep, Material, Origin, Step, plan_image, references

Bases = dict[str, Image | RegistryError]
"""What became of each base image, by its reference."""
_WAITING = 4
"""Builds beyond the engine's CPUs: most wait for a package index, as Python's own pools of threads count on
(https://docs.python.org/3/library/concurrent.futures.html#threadpoolexecutor)."""
_ABSENT = Image(id="", tags=(), digests=(), labels={}, size=0, diff_ids=())


class Planned(msgspec.Struct, frozen=True):
    """The steps to take, and the services that can't be built for want of their base."""

    steps: tuple[Step, ...]
    failed: tuple[Failed, ...]


def get_bases(
    project: Project, services: tuple[Service, ...], engine: Engine, observer: RunObserver
) -> Bases:
    """Each base that the services stand on: as the engine has it, else pulled, by its registry's mirror.

    A base is looked up and pulled once, however many services stand on it; one that is not available is given
    as its error. Raises EngineError.
    """
    mirrors = dict(project.mirrors)
    bases: Bases = {}
    for reference in dict.fromkeys(service.base.image for service in services):
        image = engine.image(reference)
        if image is not None:
            bases[reference] = image
            continue

        def tell(layer: str, current: int, total: int, base: str = reference) -> None:
            observer.base_pull(base, layer, current, total)

        try:
            mirror = mirrors.get(Reference.parse(reference).registry)
            bases[reference] = engine.pull(reference, mirror=mirror, observer=tell)
        except RegistryError as error:
            bases[reference] = error
    return bases


def present_bases(services: tuple[Service, ...], engine: Engine) -> Bases:
    """The bases as the engine has them; one that is absent is given as an image without content."""
    references = dict.fromkeys(service.base.image for service in services)
    return {reference: engine.image(reference) or _ABSENT for reference in references}


def plan(  # noqa: PLR0913 - each is another thing that the plan is made from
    project: Project,
    goal: Goal,
    engine: Engine,
    *,
    bases: Bases,
    materials: Mapping[str, Material],
    origin: Origin,
) -> Planned:
    """What to do for each service, by what the engine holds now. ``materials`` goes by the service's name."""
    steps, failed = [], []
    for service in goal.services:
        base = bases[service.base.image]
        if isinstance(base, RegistryError):
            failed.append(not_built(service.name, base))
            continue
        step = plan_image(
            project,
            goal,
            service,
            material=materials[service.name],
            base=base,
            observed=_observe(engine, references(goal, service)),
            origin=origin,
        )
        steps.append(step)
    return Planned(tuple(steps), tuple(failed))


def run(  # noqa: PLR0913 - each is another party of the run
    goal: Goal,
    engine: Engine,
    observer: RunObserver,
    *,
    bases: Bases,
    planned: Planned,
    jobs: int | None,
    log: LogPath,
    started: float,
) -> tuple[ImagesReport, StreamflowError | Interrupted | None]:
    """Carry the plan out; at most ``jobs`` builds run at once, by default four more than the engine has CPUs.

    The second value is what broke the run off, None where it came to its end.

    ``started`` is the reading of ``time.monotonic()`` at which the run began.
    """
    notes = stays(planned.steps)
    for note in notes:
        observer.note(note)
    for failure in planned.failed:
        observer.service_finished(failure)
    cause: StreamflowError | Interrupted | None = None
    info = engine.info()
    try:
        outcomes = execute(planned.steps, engine, observer, jobs=_jobs(goal, info, jobs, observer), log=log)
    except Lost as lost:
        outcomes, cause = lost.outcomes, lost.cause
    report = ImagesReport(
        version=None if goal.version is None else str(goal.version),
        registry=goal.registry,
        engine=EngineUsed(info.version, info.store),
        bases=_used(goal.services, bases),
        images=_ordered(goal.services, (*planned.failed, *outcomes)),
        seconds=time.monotonic() - started,
        notes=notes,
    )
    observer.run_finished(report)
    return report, cause


def _jobs(goal: Goal, info: EngineInfo, asked: int | None, observer: RunObserver) -> int:
    """How many builds run at once.

    Builds that don't use the cache have a step, and so its layer, in common only while they run beside one
    another; and the layers they made stay in the cache for all later runs.
    """
    together = len(goal.services)
    if asked is not None and asked < together and goal.no_cache:
        observer.note(f"with --no-cache only images built at the same time share layers; --jobs is {asked}")
    return asked or (together if goal.no_cache else info.cpus + _WAITING)


def dry_run(goal: Goal, planned: Planned) -> PlanReport:
    """What ``run`` would do."""
    return PlanReport(
        version=None if goal.version is None else str(goal.version),
        registry=goal.registry,
        images=tuple(_said(step) for step in planned.steps),
    )


def _said(step: Step) -> PlannedImage:
    match step:
        case Build(service, request, _, reason):
            return PlannedImage(service.name, "build", reason, request.tags)
        case Keep(service, _, _, tags, missing):
            why = f"unchanged, new tags: {', '.join(missing)}" if missing else "unchanged"
            return PlannedImage(service.name, "keep", why, tags)


def _observe(engine: Engine, names: tuple[str, ...]) -> dict[str, Image]:
    """The images behind the names. An image found under one name answers for the others it has.

    Docker lists names without ``docker.io/``, so such a name is looked up by itself.
    """
    observed: dict[str, Image] = {}
    for name in names:
        if name not in observed and (image := engine.image(name)) is not None:
            observed |= {name: image} | {tag: image for tag in image.tags if tag in names}
    return observed


def _used(services: tuple[Service, ...], bases: Bases) -> tuple[BaseUsed, ...]:
    declared: dict[str, Base] = {service.base.image: service.base for service in services}
    return tuple(
        BaseUsed(base.name, reference, image.id, next(iter(image.digests), None), image.stand_in, image.size)
        for reference, base in declared.items()
        if isinstance(image := bases[reference], Image)
    )


def _ordered(services: tuple[Service, ...], outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    order = {service.name: place for place, service in enumerate(services)}
    return tuple(sorted(outcomes, key=lambda outcome: order[outcome.service]))
