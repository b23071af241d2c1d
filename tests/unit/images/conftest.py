"""A run over the engine in memory, and an observer that writes down what it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from streamflow_build.engine.fake import FakeEngine
from streamflow_build.engine.interface import BuildEvent, StepStarted
from streamflow_build.errors import StreamflowError
from streamflow_build.images import run as running
from streamflow_build.model.image import ContextFile, Image
from streamflow_build.model.project import Base, Project, Service, User
from streamflow_build.model.report import ImagesReport, Outcome
from streamflow_build.model.tags import tags_of
from streamflow_build.model.version import Version
from streamflow_build.plan.images import Goal, Material, Origin

TAGS = ("{tag}", "{version}", "{major}.{minor}", "{major}", "latest")
BASE = Image("sha256:base", ("small:1",), (), {}, 1000, ("sha256:zero",))


class Told:
    """A RunObserver that keeps what it is told; ``when`` is called at each step that begins."""

    def __init__(self, when: Callable[[str, str], None] | None = None) -> None:
        self.lines: list[str] = []
        self.report: ImagesReport | None = None
        self._when = when
        self._lock = threading.Lock()

    def base_pull(self, base: str, layer: str, current: int, total: int) -> None:
        self._tell(f"pull {base} {layer} {current}/{total}")

    def service_started(self, service: str, reason: str) -> None:
        self._tell(f"start {service}: {reason}")

    def event(self, service: str, event: BuildEvent) -> None:
        if isinstance(event, StepStarted) and self._when:
            self._when(service, event.name)

    def service_finished(self, outcome: Outcome) -> None:
        self._tell(f"end {outcome.service}: {type(outcome).__name__}")

    def note(self, text: str) -> None:
        self._tell(f"note {text}")

    def run_finished(self, report: ImagesReport) -> None:
        self._tell("finished")
        self.report = report

    def _tell(self, line: str) -> None:
        with self._lock:
            self.lines.append(line)


def service(name: str, base: str = "small:1") -> Service:
    return Service(
        name=name,
        image=f"shop-{name}",
        base=Base("small", base),
        module=name,
        port=8000,
        user=User("shop", 10001),
        health="/health",
        ready="/ready",
        metrics="/metrics",
        install="source",
        package=None,
        source_root=".",
        sources=(name,),
        requirements=None,
        build_packages=(),
        secrets=(),
        publish=None,
        needs=(),
        size_budget=None,
        description="",
    )


class Shop:
    """A project whose services' Dockerfiles are given, on an engine that lasts from run to run."""

    def __init__(self, engine: FakeEngine | None = None, **dockerfiles: str) -> None:
        self.engine = engine or FakeEngine([BASE])
        self.dockerfiles = dockerfiles
        self.services = tuple(service(name) for name in dockerfiles)
        self.mirrors: tuple[tuple[str, str], ...] = ()

    @property
    def project(self) -> Project:
        return Project(
            root=Path("/nowhere"),
            file=Path("streamflow.yaml"),
            name="shop",
            source="",
            licenses="",
            tags=TAGS,
            bases=(),
            mirrors=self.mirrors,
            registries=(),
            infrastructure=(),
            ignore=(),
            services=self.services,
        )

    def goal(self, version: str | None, *, no_cache: bool = False) -> Goal:
        number = None if version is None else Version.parse(version)
        return Goal(self.services, number, tags_of(TAGS, number), None, no_cache)

    def material(self) -> dict[str, Material]:
        return {
            each.name: Material(
                context=(
                    ContextFile(
                        f"docker/{each.name}/Dockerfile",
                        0o644,
                        f"FROM {each.base.image}\n{self.dockerfiles[each.name]}\n".encode(),
                    ),
                    ContextFile(f"{each.name}/a.txt", 0o644, b"a"),
                ),
                secrets={},
                confidential=(),
            )
            for each in self.services
        }

    def run(
        self, told: Told, version: str | None = "v1.0.0", *, jobs: int | None = 1, no_cache: bool = False
    ) -> tuple[ImagesReport, StreamflowError | None]:
        goal = self.goal(version, no_cache=no_cache)
        bases = running.get_bases(self.project, goal.services, self.engine, told)
        return running.run(
            goal,
            self.engine,
            told,
            bases=bases,
            planned=self.planned(goal, bases),
            jobs=jobs,
            log=lambda name: f"logs/{name}.log",
            started=0.0,
        )

    def planned(self, goal: Goal, bases: running.Bases) -> running.Planned:
        origin = Origin(None, "2026-01-02T03:04:05Z")
        return running.plan(
            self.project, goal, self.engine, bases=bases, materials=self.material(), origin=origin
        )

    def tags(self, name: str) -> tuple[str, ...]:
        found = self.engine.image(f"shop-{name}:latest")
        return () if found is None else found.tags


def kinds(report: ImagesReport) -> dict[str, str]:
    return {outcome.service: type(outcome).__name__ for outcome in report.images}


def on(shop: Shop, base: str) -> None:
    """Put the first service on another base."""
    first, *rest = shop.services
    moved = msgspec.structs.replace(first, base=Base("other", base))
    shop.services = (moved, *rest)
