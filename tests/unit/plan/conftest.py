"""A small project in memory, and what an engine may hold of it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from streamflow_build.model.image import ContextFile, Image
from streamflow_build.model.project import Base, Project, Service, User
from streamflow_build.model.tags import tags_of
from streamflow_build.model.version import Version
from streamflow_build.plan.images import Build, Goal, Keep, Material, Origin, Step, plan_image

TAGS = ("{tag}", "{version}", "{major}.{minor}", "{major}", "latest")
ORIGIN = Origin(revision="c0ffee", created="2026-01-02T03:04:05Z")
BASE = Image(
    id="sha256:base",
    tags=("python:3.11-slim",),
    digests=("python@sha256:abc",),
    labels={},
    size=100,
    diff_ids=("sha256:one",),
)
MATERIAL = Material(
    context=(
        ContextFile("docker/web/Dockerfile", 0o644, b"FROM python:3.11-slim\n"),
        ContextFile("src/shared/a.py", 0o644, b"a\n"),
        ContextFile("src/web/b.py", 0o644, b"b\n"),
    ),
    secrets={"ca": b"certificates", "key": b"s3cret"},
    confidential=(b"s3cret",),
)


def service(**changes: object) -> Service:
    plain = Service(
        name="web",
        image="shop-web",
        base=Base("python", "python:3.11-slim"),
        module="shop.web",
        port=8000,
        user=User("shop", 10001),
        health="/health",
        ready="/ready",
        metrics="/metrics",
        install="source",
        package=None,
        source_root="src",
        sources=("src/shared", "src/web"),
        requirements="web.txt",
        build_packages=(),
        secrets=(),
        publish=None,
        needs=(),
        size_budget=None,
        description="Sells things",
    )
    return msgspec.structs.replace(plain, **changes)


def project(*services: Service) -> Project:
    return Project(
        root=Path("/nowhere"),
        file=Path("streamflow.yaml"),
        name="shop",
        source="https://example.org/shop",
        licenses="MIT",
        tags=TAGS,
        bases=(Base("python", "python:3.11-slim"),),
        mirrors=(),
        registries=(),
        infrastructure=(),
        ignore=(),
        services=services or (service(),),
    )


def goal(version: str | None = "v1.0.0", *, registry: str | None = None, no_cache: bool = False) -> Goal:
    number = None if version is None else Version.parse(version)
    return Goal(
        services=(service(),),
        version=number,
        tags=tags_of(TAGS, number),
        registry=registry,
        no_cache=no_cache,
    )


def plan(  # noqa: PLR0913 - a test changes one of them
    wanted: Goal,
    observed: dict[str, Image] | None = None,
    *,
    material: Material = MATERIAL,
    base: Image = BASE,
    origin: Origin = ORIGIN,
    of: Service | None = None,
) -> Step:
    return plan_image(
        project(),
        wanted,
        of or service(),
        material=material,
        base=base,
        observed=observed or {},
        origin=origin,
    )


def held(step: Step, identifier: str = "sha256:held") -> dict[str, Image]:
    """What an engine holds after a build was carried out."""
    assert isinstance(step, Build)
    image = Image(identifier, step.request.tags, (), step.request.labels, 200, ("sha256:one", "sha256:two"))
    return dict.fromkeys(step.request.tags, image)


def changed_to(path: str, content: bytes) -> Material:
    """The material with another content of a file."""
    context = tuple(
        msgspec.structs.replace(f, content=content) if f.path == path else f for f in MATERIAL.context
    )
    assert context != MATERIAL.context
    return msgspec.structs.replace(MATERIAL, context=context)


def reason(step: Step) -> str:
    assert isinstance(step, Build), step
    return step.reason


def kept(step: Step) -> Keep:
    assert isinstance(step, Keep), step
    return step
