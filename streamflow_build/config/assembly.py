"""From the file's data to the Project: defaults applied, names resolved, values checked one by one.

What is wrong becomes a problem with a position, and the assembly goes on; the result is of no use then.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import UNSET

from streamflow_build.config import names, shape
from streamflow_build.config.graph import check_needs, check_unique
from streamflow_build.config.paths import Kind, covering, inside
from streamflow_build.config.problems import Keys, Problems, Wrong
from streamflow_build.model.project import (
    Base,
    BuildSecret,
    Infrastructure,
    Package,
    Project,
    Registry,
    Service,
    User,
)

_UNITS = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_NEEDED = ("base", "port", "user", "health", "ready", "metrics")


class Assembly:
    """Makes the Project of the file at ``path``."""

    def __init__(self, path: Path, problems: Problems) -> None:
        self._file = path
        self._root = path.absolute().parent
        self._problems = problems

    def project(self, document: shape.Document) -> Project:
        """The project, complete only where no problem was noted."""
        bases = tuple(Base(name, image) for name, image in document.bases.items())
        for base in bases:
            with self._problems.place(("bases", base.name)):
                names.check_image(base.image)
        with self._problems.place(("image",)):
            names.check_image_pattern(document.image)
        for index, tag in enumerate(document.tags):
            with self._problems.place(("tags", index)):
                names.check_tag_pattern(tag, document.tags[:index])
        with self._problems.place(("tags",)):
            names.check_whole_version(document.tags)
        services = tuple(
            made
            for name, said in document.services.items()
            if (made := self._service(document, name, said, bases)) is not None
        )
        project = Project(
            root=self._root,
            file=self._file,
            name=document.project,
            source=document.source or "",
            licenses=document.licenses or "",
            tags=document.tags,
            bases=bases,
            mirrors=self._mirrors(document),
            registries=self._registries(document),
            infrastructure=self._infrastructure(document),
            ignore=document.ignore or (),
            services=services,
        )
        check_unique(project, self._problems)
        check_needs(document, self._problems)
        return project

    def _mirrors(self, document: shape.Document) -> tuple[tuple[str, str], ...]:
        mirrors = tuple((document.mirrors or {}).items())
        for host, mirror in mirrors:
            with self._problems.place(("mirrors", host)):
                names.check_mirror(host, mirror)
        return mirrors

    def _registries(self, document: shape.Document) -> tuple[Registry, ...]:
        registries = tuple(Registry(name, said.url) for name, said in (document.registries or {}).items())
        for registry in registries:
            with self._problems.place(("registries", registry.name, "url")):
                names.check_registry(registry.url)
        return registries

    def _infrastructure(self, document: shape.Document) -> tuple[Infrastructure, ...]:
        servers = tuple(
            Infrastructure(name, said.image) for name, said in (document.infrastructure or {}).items()
        )
        for server in servers:
            with self._problems.place(("infrastructure", server.name, "image")):
                names.check_image(server.image)
            if server.name in document.services:
                self._problems.about(
                    ("infrastructure", server.name),
                    "a service has this name too",
                    "Rename one of the two: needs couldn't tell them apart.",
                )
        return servers

    def _service(
        self, document: shape.Document, name: str, said: shape.Service, bases: tuple[Base, ...]
    ) -> Service | None:
        keys = ("services", name)
        with self._problems.place(keys):
            names.check_service(name)
        merged = _Merged(document.defaults or shape.Defaults(), said, name)
        complete = True
        for key in _NEEDED:
            if merged.value(key) is None:
                self._problems.missing(keys, key, f"Add {key} here, or to defaults for all services.")
                complete = False
        base = self._base(merged, bases)
        if not complete or base is None:
            return None
        user = merged.value("user")
        with self._problems.place((*merged.keys("user"), "name")):
            names.check_user(user.name)
        install = merged.value("install") or "source"
        budget = merged.value("size_budget")
        return Service(
            name=name,
            image=names.expand(document.image, project=document.project, service=name),
            base=base,
            module=said.module,
            port=merged.value("port"),
            user=User(user.name, user.uid),
            health=merged.value("health"),
            ready=merged.value("ready"),
            metrics=merged.value("metrics"),
            install=install,
            package=self._package(merged) if install == "package" else self._no_package(merged),
            source_root=self._source_root(merged),
            sources=self._sources(merged) if install == "source" else self._no_sources(merged),
            requirements=self._requirements(merged, install),
            build_packages=tuple(dict.fromkeys(value for value, _ in merged.added("build_packages"))),
            secrets=self._secrets(merged),
            publish=said.publish or None,
            needs=merged.value("needs") or (),
            size_budget=None if budget is None else self._size(budget, merged.keys("size_budget")),
            description=said.description or "",
        )

    def _base(self, merged: _Merged, bases: tuple[Base, ...]) -> Base | None:
        name = merged.value("base")
        if name is None:
            return None
        found = next((base for base in bases if base.name == name), None)
        if found is None:
            with self._problems.place(merged.keys("base")):
                raise names.unknown(name, "base", [base.name for base in bases])
        return found

    def _size(self, text: str, keys: Keys) -> int:
        number, unit = text.rstrip("BKMGik").strip(), text.lstrip("0123456789. ")
        size = int(Decimal(number) * _UNITS[unit])
        if size == 0:
            self._problems.about(
                keys, "no image fits into 0 bytes", "Write a size such as 180MB, or leave the key out."
            )
        return size

    def _path(self, text: str, keys: Keys, kind: Kind) -> str:
        with self._problems.place(keys):
            return inside(self._root, text, kind)
        return text

    def _source_root(self, merged: _Merged) -> str:
        text = merged.value("source_root")
        return "." if text is None else self._path(text, merged.keys("source_root"), "folder")

    def _sources(self, merged: _Merged) -> tuple[str, ...]:
        found: dict[str, Keys] = {}
        for text, keys in merged.added("sources"):
            path = self._path(text, keys, "source")
            if path in found and found[path][:-1] == keys[:-1]:
                self._problems.about(
                    keys,
                    f"{path!r} is already in this list",
                    f"Keep one, here or on line {self._problems.mark(found[path]).line}.",
                )
            found.setdefault(path, keys)
        if not found:
            self._problems.missing(
                merged.service,
                "sources",
                "Name the files and folders that go into the image, here or in defaults.",
            )
        return covering(tuple(found))

    def _no_sources(self, merged: _Merged) -> tuple[str, ...]:
        if merged.says("sources"):
            self._problems.about(
                (*merged.service, "sources"),
                "install: package takes no sources",
                "Remove it, or write install: source.",
            )
        return ()

    def _requirements(self, merged: _Merged, install: str) -> str | None:
        text = merged.value("requirements")
        if text is not None:
            return self._path(text, merged.keys("requirements"), "file")
        if install == "source":
            self._problems.missing(
                merged.service,
                "requirements",
                "Name the file of its locked requirements, such as requirements.txt.",
            )
        return None

    def _package(self, merged: _Merged) -> Package | None:
        said = merged.value("package")
        if said is None:
            self._problems.missing(
                merged.service,
                "package",
                "install: package needs it, here or in defaults: package: {name: NAME}",
            )
            return None
        wheels = None
        if said.wheels is not UNSET:
            wheels = self._path(said.wheels, (*merged.keys("package"), "wheels"), "folder")
        return Package(said.name, wheels)

    def _no_package(self, merged: _Merged) -> None:
        if merged.says("package"):
            self._problems.about(
                (*merged.service, "package"),
                "install: source takes no package",
                "Remove it, or write install: package.",
            )

    def _secrets(self, merged: _Merged) -> tuple[BuildSecret, ...]:
        found: dict[str, Keys] = {}
        secrets = []
        for said, keys in merged.added("secrets"):
            with self._problems.place((*keys, "id")):
                names.check_secret(said.id)
                if said.id in found:
                    line = self._problems.mark(found[said.id]).line
                    raise Wrong(f"the secret {said.id!r} is already on line {line}", "Keep one of the two.")
            if (said.env is UNSET) == (said.file is UNSET):
                self._problems.about(
                    keys, "a secret comes from one place", "Write either env (a variable) or file (a path)."
                )
            found.setdefault(said.id, keys)
            secrets.append(BuildSecret(said.id, said.env or None, said.file or None))
        return tuple(secrets)


class _Merged:
    """What a service says, and where it doesn't, what the defaults say; and where in the file that is."""

    def __init__(self, defaults: shape.Defaults, said: shape.Service, name: str) -> None:
        self._defaults = defaults
        self._said = said
        self.service: Keys = ("services", name)

    def says(self, key: str) -> bool:
        return getattr(self._said, key) is not UNSET

    def keys(self, key: str) -> Keys:
        return (*self.service, key) if self.says(key) else ("defaults", key)

    def value(self, key: str) -> Any:
        value = getattr(self._said if self.says(key) else self._defaults, key)
        return None if value is UNSET else value

    def added(self, key: str) -> list[tuple[Any, Keys]]:
        """A list key's items with their positions: those of the defaults, then the service's own."""
        found = []
        for holder, at in ((self._defaults, ("defaults", key)), (self._said, (*self.service, key))):
            items = getattr(holder, key)
            found += [(item, (*at, i)) for i, item in enumerate(() if items is UNSET else items)]
        return found
