"""Carries out a plan of images: builds several at once, tags what is kept, and says what became of each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from streamflow_build.engine.interface import BuildCancelled, BuildEvent, Engine, StepFailed
from streamflow_build.errors import EngineError, Interrupted
from streamflow_build.images.observer import RunObserver
from streamflow_build.model.image import BuildRequest
from streamflow_build.model.project import Service
from streamflow_build.model.report import (
    Built,
    Cancelled,
    Failed,
    Outcome,
    Size,
    Skipped,
    Unchanged,
    measure,
    not_built,
)
from streamflow_build.plan.images import Build, Keep, Step
from streamflow_build.work import together

LogPath = Callable[[str], str]
"""A service's log file, by the service's name."""


_LEAD_SECONDS = 0.3
_INTERRUPTED = "interrupted"
_ENGINE = "the engine failed"


class Lost(Exception):  # noqa: N818 - it is what happened to the run, and never leaves this package's callers
    """The run broke off: ``cause`` says why, ``outcomes`` what became of each image until then."""

    def __init__(self, cause: EngineError | Interrupted, outcomes: tuple[Outcome, ...]) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.outcomes = outcomes


def execute(
    steps: tuple[Step, ...], engine: Engine, observer: RunObserver, *, jobs: int, log: LogPath
) -> tuple[Outcome, ...]:
    """The outcome of each step, in the order of the plan; at most ``jobs`` builds run at once.

    A build that fails leaves the others alone. Raises Lost when the user interrupts or the engine goes away:
    every build has ended by then, on the engine too, unless that answers nothing any more, and no image has some of
    its tags only. Only the main thread may call it, for signals come there.
    """
    run = _Run(engine, observer, log)
    outcomes = together(run.step, steps, jobs=jobs, stop=run.stop, left=run.left)
    if cause := run.interrupted or run.lost:
        raise Lost(cause, outcomes)
    return outcomes


class _Run:
    """One execution: what its threads share."""

    def __init__(self, engine: Engine, observer: RunObserver, log: LogPath) -> None:
        self.lost: EngineError | None = None
        self.interrupted: Interrupted | None = None
        self._engine = engine
        self._observer = observer
        self._log = log
        self._started = time.monotonic()
        self._lead = threading.Lock()
        self._begun = threading.Event()

    def stop(self, interruption: Interrupted) -> None:
        self.interrupted = interruption
        self._engine.cancel()

    def left(self, step: Step) -> Outcome:
        """What became of a step that doesn't end."""
        outcome = Cancelled(step.service.name, time.monotonic() - self._started, self._log(step.service.name))
        self._observer.service_finished(outcome)
        return outcome

    def step(self, step: Step) -> Outcome:
        if self.interrupted or self.lost:
            outcome: Outcome = Skipped(step.service.name, _INTERRUPTED if self.interrupted else _ENGINE)
        else:
            outcome = self._build(step) if isinstance(step, Build) else self._keep(step)
        self._observer.service_finished(outcome)
        return outcome

    def _keep(self, step: Keep) -> Outcome:
        started = time.monotonic()
        service = step.service
        try:
            if step.missing:
                self._engine.tag(step.image.id, step.missing)
            size = self._measure(step.image.id, service, step)
        except EngineError as error:
            return self._failed(service, error, started, log=None)
        seconds = time.monotonic() - started
        return Unchanged(service.name, step.tags, step.missing, step.image.id, size, seconds)

    def _build(self, step: Build) -> Outcome:
        service, request = step.service, step.request
        started = time.monotonic()
        self._observer.service_started(service.name, step.reason)

        def tell(event: BuildEvent) -> None:
            self._begun.set()
            self._observer.event(service.name, event)

        log = self._log(service.name)
        self._follow()
        try:
            built = self._engine.build(request, tell)
            size = self._measure(built.image.id, service, step)
        except BuildCancelled:
            return Cancelled(service.name, time.monotonic() - started, log)
        except StepFailed as failure:
            return _step_failed(request, failure, time.monotonic() - started, log)
        except EngineError as error:
            return self._failed(service, error, started, log=log)
        return Built(
            service=service.name,
            tags=request.tags,
            image=built.image.id,
            size=size,
            steps=built.steps,
            cached=built.cached,
            seconds=time.monotonic() - started,
            reason=step.reason,
            log=log,
        )

    def _follow(self) -> None:
        """Let one build begin before the others, which have most steps in common with it and would wait for them.

        All at once they keep the engine from beginning the first step by a fifth of a second.
        """
        if not self._lead.acquire(blocking=False):
            self._begun.wait(_LEAD_SECONDS)

    def _measure(self, image: str, service: Service, step: Step) -> Size:
        found = self._engine.image(image)
        if found is None:
            raise EngineError(
                f"The engine no longer holds the image of {service.name!r}.",
                hint="Something else removes images on it; run the command again.",
            )
        layers, base_layers = self._engine.history(image), self._engine.history(step.base.id)
        return measure(found, layers, budget=service.size_budget, base=step.base, base_layers=base_layers)

    def _failed(self, service: Service, error: EngineError, started: float, *, log: str | None) -> Outcome:
        self.lost = self.lost or error
        return not_built(service.name, error, log=log, seconds=time.monotonic() - started)


def _step_failed(request: BuildRequest, failure: StepFailed, seconds: float, log: str) -> Failed:
    text = None
    if failure.dockerfile_line is not None:
        dockerfile = next(f.content.decode() for f in request.context if f.path == request.dockerfile)
        text = dict(enumerate(dockerfile.splitlines(), start=1)).get(failure.dockerfile_line)
    return Failed(
        service=request.service,
        message=failure.message,
        hint=failure.hint,
        step=failure.step,
        dockerfile=request.dockerfile,
        dockerfile_line=failure.dockerfile_line,
        dockerfile_text=text,
        output=failure.output,
        log=log,
        seconds=seconds,
    )
