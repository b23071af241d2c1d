"""From the file's data to the Project: defaults applied, names resolved, values checked one by one.

What is wrong becomes a problem with a position, and the assembly goes on; the result is of no use then.
"""

from __future__ import annotations

from pathlib import Path

from streamflow_build.config import deployment, names, shape
from streamflow_build.config.document import folder_of
from streamflow_build.config.graph import check_needs, check_ports
from streamflow_build.config.paths import check_ignored
from streamflow_build.config.problems import Problems
from streamflow_build.config.service import ServiceAssembly
from streamflow_build.model.project import Base, Project, Registry


class Assembly:
    """Makes the Project of the file at ``path``."""

    def __init__(self, path: Path, problems: Problems) -> None:
        self._file = path
        self._root = folder_of(path)
        self._problems = problems

    def project(self, document: shape.Document) -> Project:
        """The project, complete only where no problem was noted."""
        bases = tuple(Base(name, image) for name, image in document.bases.items())
        for base in bases:
            with self._problems.place(("bases", base.name)):
                names.check_image(base.image)
        with self._problems.place(("image",)):
            names.check_image_pattern(document.image, document.project, tuple(document.services))
        for index, tag in enumerate(document.tags):
            with self._problems.place(("tags", index)):
                names.check_tag_pattern(tag, document.tags[:index])
        with self._problems.place(("tags",)):
            names.check_whole_version(document.tags)
        for index, glob in enumerate(document.ignore or ()):
            with self._problems.place(("ignore", index)):
                check_ignored(glob)
        known = deployment.places(document)
        deployment.check_secrets(document, known, self._problems)
        registries = self._registries(document)
        services = tuple(
            made
            for name in document.services
            if (made := ServiceAssembly(self._root, document, name, known, self._problems).service())
            is not None
        )
        environments = deployment.EnvironmentAssembly(document, services, registries, known, self._problems)
        project = Project(
            root=self._root,
            file=self._file,
            name=document.project,
            source=document.source or "",
            licenses=document.licenses or "",
            tags=document.tags,
            bases=bases,
            mirrors=self._mirrors(document),
            registries=registries,
            infrastructure=deployment.infrastructure(document, known, self._problems),
            ignore=document.ignore or (),
            services=services,
            environments=tuple(
                environments.environment(name, said) for name, said in (document.environments or {}).items()
            ),
        )
        check_ports(project, self._problems)
        check_needs(document, self._problems)
        return project

    def _mirrors(self, document: shape.Document) -> tuple[tuple[str, str], ...]:
        mirrors = tuple((document.mirrors or {}).items())
        for host, mirror in mirrors:
            with self._problems.place(("mirrors", host)):
                names.check_mirror(host, mirror)
        return mirrors

    def _registries(self, document: shape.Document) -> tuple[Registry, ...]:
        registries = tuple(
            Registry(name, said.url, said.create_repositories or False)
            for name, said in (document.registries or {}).items()
        )
        for registry in registries:
            with self._problems.place(("registries", registry.name, "url")):
                names.check_registry(registry.url)
            if registry.create_repositories:
                with self._problems.place(("registries", registry.name, "create_repositories")):
                    names.check_ecr(registry.url)
        return registries
