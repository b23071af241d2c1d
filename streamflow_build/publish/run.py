"""A version into a registry, as one visible sequence: look, full versions, floating tags, report."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from streamflow_build.errors import EngineError, Interrupted, RegistryError, StreamflowError
from streamflow_build.model.image import LABEL_FINGERPRINT, OCI
from streamflow_build.model.project import Service
from streamflow_build.model.reference import Reference
from streamflow_build.model.release import (
    Cancelled,
    Missing,
    NotPublished,
    Published,
    PublishReport,
    TagRefused,
)
from streamflow_build.plan.publish import PublishGoal, staying
from streamflow_build.publish.candidate import Source
from streamflow_build.publish.observer import PublishObserver
from streamflow_build.publish.tags import Found, check_whole, look, look_again, put_tags, still_missing
from streamflow_build.registry.blobs import Blobs
from streamflow_build.registry.client import Registry
from streamflow_build.registry.manifest import Manifest
from streamflow_build.registry.repository import Repository
from streamflow_build.work import interrupted, together


class _There(msgspec.Struct, frozen=True):
    """A service whose full version is in the registry, verified; ``put`` are the tags that this run put."""

    found: Found
    manifest: Manifest
    sent: bool
    put: tuple[str, ...]
    seconds: float


def publish(  # noqa: PLR0913 - each is another party of the run
    goal: PublishGoal,
    registry: Registry,
    observer: PublishObserver,
    *,
    source: Source,
    jobs: int,
    started: float,
) -> tuple[PublishReport, StreamflowError | Interrupted | None]:
    """Have the goal's images in the registry, from their source.

    At most ``jobs`` services are worked on at once. ``started`` is the reading of ``time.monotonic()`` at which the
    run began. The second value is what broke the run off, None where it came to its end.

    Raises RegistryError, before anything is sent, where the registry refuses the user or has a full version with
    other content, and EngineError and Interrupted until then.
    """
    run = _Run(goal, registry, observer, source, jobs)
    found = run.look()
    run.tell_of_dirt(found)
    stays = staying(goal, {each.service.name: each.held for each in found})
    source.prepare(
        {each.service.name: (each.repository, each.held.tags) for each in found if each.manifest is None}
    )
    run.check_writable(found)
    outcomes = run.versions(found)
    if any(each.manifest is None for each in found):  # which took a while
        outcomes = run.look_again(outcomes)
    there = tuple(outcome.found for outcome in outcomes if isinstance(outcome, _There))
    if len(there) == len(outcomes):
        stays = staying(goal, {each.service.name: each.held for each in there})
        floating = tuple(tag for tag in goal.tags.floating if tag not in {stay.tag for stay in stays})
        outcomes = run.move(outcomes, floating)
    report = PublishReport(
        version=str(goal.version),
        registry=goal.registry,
        images=tuple(run.said(outcome) for outcome in outcomes),
        refused=tuple(TagRefused(stay.tag, stay.reason) for stay in stays),
        seconds=time.monotonic() - started,
        notes=(),
    )
    observer.run_finished(report)
    return report, run.cause


class _Run:
    """One run: what its threads share."""

    def __init__(
        self, goal: PublishGoal, registry: Registry, observer: PublishObserver, source: Source, jobs: int
    ) -> None:
        self.cause: StreamflowError | Interrupted | None = None
        self._goal = goal
        self._registry = registry
        self._observer = observer
        self._source = source
        self._jobs = jobs

    def look(self) -> tuple[Found, ...]:
        """What the registry holds of each service."""
        return together(self._look, self._goal.services, jobs=self._jobs, stop=self._stop, left=interrupted)

    def tell_of_dirt(self, found: tuple[Found, ...]) -> None:
        """Tell where a version is made final that no commit holds."""
        made_of = {each.candidate.labels.get(f"{OCI}.revision", "") for each in found}
        for revision in sorted(each for each in made_of if each.endswith("-dirty")):
            if not self._goal.version.is_prerelease:
                self._observer.note(
                    f"made of files that no commit holds, {revision}: it can't be built again"
                )

    def check_writable(self, found: tuple[Found, ...]) -> None:
        """See that the user may write where something is missing, while the source gets ready to send it."""
        where = tuple(each.repository.blobs for each in found if each.manifest is None)
        try:
            together(Blobs.check_writable, where, jobs=self._jobs, stop=self._stop, left=interrupted)
        except RegistryError:
            self._source.cancel()
            raise

    def versions(self, found: tuple[Found, ...]) -> tuple[_There | Missing, ...]:
        """Each service's full version, sent where it isn't there. One that fails leaves the others alone."""
        return together(self._version, found, jobs=self._jobs, stop=self._stop, left=_cut_off)

    def look_again(self, there: tuple[_There | Missing, ...]) -> tuple[_There | Missing, ...]:
        """The floating tags as they are now, where the full version is there for all services."""
        if any(isinstance(each, Missing) for each in there):
            return there
        return together(self._looked_again, there, jobs=self._jobs, stop=self._stop, left=_left_there)

    def move(
        self, there: tuple[_There | Missing, ...], floating: tuple[str, ...]
    ) -> tuple[_There | Missing, ...]:
        """Move floating tags, one after the other for all services, until one can't be moved."""
        for tag in floating:

            def move(each: _There | Missing, tag: str = tag) -> _There | Missing:
                return self._moved(each, tag)

            there = together(move, there, jobs=self._jobs, stop=self._stop, left=_left_there)
            if self.cause is not None or any(isinstance(each, Missing) for each in there):
                break
        return there

    def said(self, outcome: _There | Missing) -> Published | Missing:
        """An outcome as the report has it."""
        if isinstance(outcome, Missing):
            return outcome
        found, manifest = outcome.found, outcome.manifest
        config = manifest.config
        labels = found.candidate.labels
        digests = found.held.digests | dict.fromkeys(outcome.put, manifest.digest)
        tags = self._goal.tags
        return Published(
            service=found.service.name,
            repository=str(found.repository),
            digest=manifest.digest,
            size=sum(layer.size for layer in manifest.layers) + (config.size if config else 0),
            fingerprint=labels.get(LABEL_FINGERPRINT, ""),
            revision=labels.get(f"{OCI}.revision", ""),
            sent=outcome.sent,
            tags=tuple(tag for tag in (*tags.full, *tags.floating) if digests.get(tag) == manifest.digest),
            set=outcome.put,
            seconds=outcome.seconds,
        )

    def _look(self, service: Service) -> Found:
        name = Reference.parse(self._goal.repository(service)).repository
        found = look(self._goal, service, self._source.images[service.name], Repository(self._registry, name))
        if found.lost:
            self._observer.note(
                f"{found.repository} lost {', '.join(found.lost)} of this version: it is sent again"
            )
        return found

    def _version(self, found: Found) -> _There | Missing:
        outcome = self._settled(found, lambda: self._there(found))
        self._observer.service_finished(self.said(outcome))
        return outcome

    def _there(self, found: Found) -> _There:
        started = time.monotonic()
        name, full = found.service.name, self._goal.tags.full
        manifest, sent = found.manifest, False
        if manifest is None:
            made = found.candidate.send(
                found.repository, lambda current, total: self._observer.sending(name, current, total)
            )
            manifest, sent = still_missing(self._goal, found, made), True
            check_whole(found.repository, manifest)
        put = put_tags(found, manifest, full)
        return _There(found, manifest, sent, put, time.monotonic() - started)

    def _looked_again(self, there: _There | Missing) -> _There | Missing:
        if isinstance(there, Missing):
            return there
        return self._settled(
            there.found,
            lambda: msgspec.structs.replace(there, found=look_again(self._goal, there.found)),
        )

    def _moved(self, there: _There | Missing, tag: str) -> _There | Missing:
        if isinstance(there, Missing):
            return there
        return self._settled(
            there.found,
            lambda: msgspec.structs.replace(
                there, put=(*there.put, *put_tags(there.found, there.manifest, (tag,)))
            ),
        )

    def _settled(self, found: Found, work: Callable[[], _There]) -> _There | Missing:
        try:
            return work()
        except Interrupted:
            return _cut_off(found)
        except (RegistryError, EngineError) as error:
            if isinstance(error, EngineError):
                self.cause = self.cause or error
            return NotPublished(found.service.name, str(found.repository), error.message, error.hint)

    def _stop(self, interruption: Interrupted) -> None:
        self.cause = interruption
        self._registry.patience.end()
        self._source.cancel()


def _cut_off(found: Found) -> Cancelled:
    return Cancelled(found.service.name, str(found.repository))


def _left_there(outcome: _There | Missing) -> Missing:
    return outcome if isinstance(outcome, Missing) else _cut_off(outcome.found)
