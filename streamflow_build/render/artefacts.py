"""Every file that is derived from streamflow.yaml, as text."""

from __future__ import annotations

from pathlib import PurePosixPath

import msgspec

from streamflow_build.model.deployment import Deployment
from streamflow_build.model.project import Project, Service
from streamflow_build.render import locks
from streamflow_build.render.compose import compose_files, images_file
from streamflow_build.render.locks import Lock, Locks
from streamflow_build.render.templates import Templates

MARK = "# Rendered "
"""What every derived file begins with, whichever version of the tool wrote it."""
HEADER = f"{MARK}from streamflow.yaml by `streamflow-build render`; edits are lost."
"""The first line of every derived file."""
BUILD_PLACES = ("docker/*/Dockerfile", "docker/*/requirements.txt")
"""Where files may be that images are built from, and that nothing derives any more."""
PLACES = (*BUILD_PLACES, "docker-compose*.yml")
"""Where derived files of any kind may be."""
_APP = PurePosixPath("/app")


class Artefact(msgspec.Struct, frozen=True):
    """A derived file: its path in the project, and its text."""

    path: str
    text: str


def artefacts(project: Project) -> tuple[Artefact, ...]:
    """All derived files, sorted by path. Reads the locks and the templates, writes nothing.

    Raises ConfigError for a lock or a template that is wrong.
    """
    return tuple(sorted((*build_files(project), *deployment_files(project)), key=lambda each: each.path))


def deployment_files(project: Project) -> tuple[Artefact, ...]:
    """The derived files that the platform is deployed with. Raises ConfigError for a template that is wrong."""
    found = compose_files(project, Templates(project.root), HEADER)
    return tuple(Artefact(path, text) for path, text in found.items())


def deployed_images(project: Project, deployment: Deployment) -> Artefact:
    """The file that says which images of a release run; it is no part of the project's own files.

    Raises ConfigError for a template that is wrong.
    """
    header = f"{MARK}by `streamflow-build compose`; edits are lost."
    return Artefact(*images_file(deployment, Templates(project.root), header))


def build_files(project: Project) -> tuple[Artefact, ...]:
    """The derived files that images are built from, sorted by path.

    Raises ConfigError for a lock or a template that is wrong.
    """
    templates, locked = Templates(project.root), locks.read(project)
    requirements = {
        f"docker/{name}/requirements.txt": lock for name, lock in locked.added.items() if lock.pinned
    }
    declared = set(requirements)
    for service in project.services:
        declared |= set(service.sources)
        if service.package is not None and service.package.wheels is not None:
            declared.add(service.package.wheels)
    found = {path: f"{HEADER}\n{lock}" for path, lock in requirements.items()}
    found[".dockerignore"] = templates.render(
        "dockerignore.j2", header=HEADER, project=project, declared=sorted(declared)
    )
    for service in project.services:
        found[service.dockerfile] = _dockerfile(templates, project, service, locked)
    return tuple(Artefact(path, found[path]) for path in sorted(found))


def copies(service: Service) -> tuple[tuple[str, str], ...]:
    """Each source and its place in the image: below /app, without the folder that Python imports from."""
    root = service.source_root
    return tuple((source, str(_APP / PurePosixPath(source).relative_to(root))) for source in service.sources)


def _dockerfile(templates: Templates, project: Project, service: Service, locked: Locks) -> str:
    added = locked.added.get(service.name, Lock(()))
    labels = {
        "title": service.image,
        "description": service.description,
        "source": project.source,
        "url": project.source,
        "licenses": project.licenses,
    }
    return templates.render(
        "docker/Dockerfile.j2",
        header=HEADER,
        project=project,
        service=service,
        common=locked.common,
        # The common stage is one for all services, so it may take what any of them declares.
        common_build_packages=sorted(
            {p for s in project.services if s.requirements for p in s.build_packages}
        ),
        added=added,
        copies=copies(service),
        labels=[(name, value) for name, value in labels.items() if value],
    )
