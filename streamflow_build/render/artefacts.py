"""Every file that is derived from streamflow.yaml, as text."""

from __future__ import annotations

from pathlib import PurePosixPath

import msgspec

from streamflow_build.errors import ConfigError
from streamflow_build.model.project import Project, Service
from streamflow_build.render.locks import Lock, Locks, split
from streamflow_build.render.templates import Templates

UV_VERSION = "0.13.9"
"""The release of uv that installs requirements inside builds."""
COMMON = "docker/common/requirements.txt"
_HEADER = "# Rendered from streamflow.yaml by `streamflow-build render`; edits are lost.\n"


class Artefact(msgspec.Struct, frozen=True):
    """A derived file: its path in the project, and its text."""

    path: str
    text: str


def artefacts(project: Project) -> tuple[Artefact, ...]:
    """All derived files, sorted by path. Raises ConfigError for a lock or a template that is wrong."""
    templates, locks = Templates(project.root), split(project)
    found = [Artefact(".dockerignore", _dockerignore(templates, project))]
    if locks.added:
        found.append(Artefact(COMMON, f"{_HEADER}{locks.common}"))
    for service in project.services:
        found.append(Artefact(f"docker/{service.name}/Dockerfile", _dockerfile(templates, project, service, locks)))
        added = locks.added.get(service.name)
        if added is not None and added.pinned:
            found.append(Artefact(f"docker/{service.name}/requirements.txt", f"{_HEADER}{added}"))
    return tuple(sorted(found, key=lambda artefact: artefact.path))


def _dockerfile(templates: Templates, project: Project, service: Service, locks: Locks) -> str:
    added = locks.added.get(service.name, Lock((), wheels_only=True, no_binary=()))
    compiles_common = locks.common.needs_compiler
    return templates.render(
        "docker/Dockerfile.j2",
        project=project,
        service=service,
        uv_version=UV_VERSION,
        adds=bool(added.pinned),
        compiles_common=compiles_common,
        compiles_added=added.needs_compiler and not compiles_common,
        build_packages=_build_packages(project, service, compiles_common),
        copies=tuple((source, _target(service, source)) for source in service.sources),
    )


def _build_packages(project: Project, service: Service, compiles_common: bool) -> tuple[str, ...]:
    if not compiles_common:
        return service.build_packages
    # The common stage is one for all services, so it has what any of them needs.
    every = (package for each in project.services if each.install == "source" for package in each.build_packages)
    return tuple(sorted(set(every)))


def _target(service: Service, source: str) -> str:
    path = PurePosixPath(source)
    try:
        return f"/app/{path.relative_to(service.source_root)}"
    except ValueError:
        raise ConfigError(
            f"streamflow.yaml: services.{service.name}.sources: {source!r} is not below the source root "
            f"{service.source_root!r}.",
            hint="Move it there, or name another source_root: what is below it is what Python imports.",
        ) from None


def _dockerignore(templates: Templates, project: Project) -> str:
    declared = {COMMON}
    for service in project.services:
        declared |= {f"docker/{service.name}/requirements.txt", *service.sources}
        if service.package is not None and service.package.wheels is not None:
            declared.add(service.package.wheels)
    return templates.render("dockerignore.j2", project=project, declared=sorted(declared))
