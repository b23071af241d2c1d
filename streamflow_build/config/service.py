"""From what the file says of one service, and of all, to the Service: defaults applied, values checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from msgspec import UNSET

from streamflow_build.config import names, shape
from streamflow_build.config.modules import check_module
from streamflow_build.config.paths import Kind, covering, inside
from streamflow_build.config.problems import Keys, Problems, Wrong
from streamflow_build.config.sizes import in_bytes
from streamflow_build.config.variables import Places, Said, placed, variables
from streamflow_build.model.project import Base, BuildSecret, Package, Service, User

_NEEDED = ("base", "port", "user", "health", "ready", "metrics")


class ServiceAssembly:
    """Makes the Service called ``name``; what is wrong with it goes to ``problems``."""

    def __init__(
        self, root: Path, document: shape.Document, name: str, places: Places, problems: Problems
    ) -> None:
        self._root = root
        self._document = document
        self._places = places
        self._name = name
        self._keys: Keys = ("services", name)
        self._said = document.services[name]
        self._defaults = document.defaults or shape.Defaults()
        self._problems = problems
        # Whether a source is not where it should be; what else is wrong for that reason isn't worth a word.
        self._misplaced = False

    def service(self) -> Service | None:
        """The service, or None where something is missing that it can't be without."""
        missing = [key for key in _NEEDED if self._value(key) is None]
        for key in missing:
            self._problems.missing(self._keys, key, f"Add {key} here, or to defaults for all services.")
        base = self._base()
        if missing or base is None:
            return None
        source_root = self._source_root()
        sources = self._sources(source_root)
        if sources and not self._misplaced:
            with self._problems.place((*self._keys, "module")):
                check_module(self._root, self._said.module, source_root, sources)
        return Service(
            name=self._name,
            image=names.expand(self._document.image, project=self._document.project, service=self._name),
            base=base,
            module=self._said.module,
            port=self._value("port"),
            user=self._user(),
            health=self._value("health"),
            ready=self._value("ready"),
            metrics=self._value("metrics"),
            install=self._install,
            package=self._package(),
            source_root=source_root,
            sources=sources,
            requirements=self._requirements(),
            build_packages=tuple(dict.fromkeys(value for value, _ in self._added("build_packages"))),
            secrets=self._secrets(),
            publish=self._said.publish or None,
            needs=self._value("needs") or (),
            size_budget=self._size_budget(),
            description=self._said.description or "",
            environment=variables(
                self._environment(),
                self._places,
                self._problems,
                holder=repr(self._name),
                needs=self._value("needs") or (),
            ),
        )

    @property
    def _install(self) -> Literal["source", "package"]:
        return "package" if self._value("install") == "package" else "source"

    def _base(self) -> Base | None:
        name = self._value("base")
        if name is None:
            return None
        image = self._document.bases.get(name)
        if image is None:
            wrong = names.unknown(name, "base", self._document.bases)
            self._problems.about(self._place("base"), wrong.what, wrong.hint)
            return None
        return Base(name, image)

    def _user(self) -> User:
        said = self._value("user")
        with self._problems.place((*self._place("user"), "name")):
            names.check_user(said.name)
        return User(said.name, said.uid)

    def _size_budget(self) -> int | None:
        text = self._value("size_budget")
        if text is None:
            return None
        size = in_bytes(text)
        if size == 0:
            self._problems.about(
                self._place("size_budget"),
                "no image fits into 0 bytes",
                "Write a size such as 180MB, or leave the key out.",
            )
        return size

    def _path(self, text: str, keys: Keys, kind: Kind) -> str:
        try:
            return inside(self._root, text, kind)
        except Wrong as wrong:
            self._problems.about(keys, wrong.what, wrong.hint)
            self._misplaced = self._misplaced or kind != "file"
            return text

    def _source_root(self) -> str:
        text = self._value("source_root")
        return "." if text is None else self._path(text, self._place("source_root"), "folder")

    def _sources(self, root: str) -> tuple[str, ...]:
        if self._install == "package":
            self._refuse(
                "sources", "install: package takes no sources", "Remove it, or write install: source."
            )
            return ()
        found: dict[str, Keys] = {}
        for text, keys in self._added("sources"):
            path = self._path(text, keys, "source")
            if root not in (".", path) and not path.startswith(f"{root}/"):
                hint = "Move it there, or name another source_root: the folder that Python imports from."
                self._problems.about(keys, f"{path!r} is not below source_root, {root!r}", hint)
                self._misplaced = True
            if path in found and found[path][:-1] == keys[:-1]:
                line = self._problems.mark(found[path]).line
                self._problems.about(
                    keys, f"{path!r} is already in this list, on line {line}", "Keep one of the two."
                )
            found.setdefault(path, keys)
        if not found:
            hint = "Name the files and folders that go into the image, here or in defaults."
            self._problems.missing(self._keys, "sources", hint)
        return covering(tuple(found))

    def _requirements(self) -> str | None:
        if self._install == "package":
            hint = "Remove it, or write install: source."
            self._refuse("requirements", "install: package takes no requirements", hint)
            return None
        text = self._value("requirements")
        if text is None:
            hint = "Name the file of its locked requirements, such as requirements.txt."
            self._problems.missing(self._keys, "requirements", hint)
            return None
        return self._path(text, self._place("requirements"), "file")

    def _package(self) -> Package | None:
        if self._install == "source":
            self._refuse(
                "package", "install: source takes no package", "Remove it, or write install: package."
            )
            return None
        said = self._value("package")
        if said is None:
            hint = "install: package needs it, here or in defaults: package: {name: NAME}"
            self._problems.missing(self._keys, "package", hint)
            return None
        if said.wheels is UNSET:
            return Package(said.name)
        return Package(said.name, self._path(said.wheels, (*self._place("package"), "wheels"), "folder"))

    def _secrets(self) -> tuple[BuildSecret, ...]:
        found: dict[str, Keys] = {}
        secrets = []
        for said, keys in self._added("secrets"):
            with self._problems.place((*keys, "id")):
                names.check_secret(said.id)
                if said.id in found:
                    line = self._problems.mark(found[said.id]).line
                    raise Wrong(f"the secret {said.id!r} is already on line {line}", "Keep one of the two.")
            if (said.env is UNSET) == (said.file is UNSET):
                hint = "Write either env (a variable's name) or file (a path)."
                self._problems.about(keys, "a secret comes from one place", hint)
            found.setdefault(said.id, keys)
            secrets.append(BuildSecret(said.id, said.env or None, said.file or None))
        return tuple(secrets)

    def _environment(self) -> Said:
        return {
            **placed(self._defaults.environment, ("defaults", "environment")),
            **placed(self._said.environment, (*self._keys, "environment")),
        }

    def _says(self, key: str) -> bool:
        return getattr(self._said, key) is not UNSET

    def _place(self, key: str) -> Keys:
        return (*self._keys, key) if self._says(key) else ("defaults", key)

    def _value(self, key: str) -> Any:
        value = getattr(self._said if self._says(key) else self._defaults, key)
        return None if value is UNSET else value

    def _added(self, key: str) -> list[tuple[Any, Keys]]:
        # The items of the defaults, then the service's own.
        found: list[tuple[Any, Keys]] = []
        for holder, at in ((self._defaults, ("defaults", key)), (self._said, (*self._keys, key))):
            items = getattr(holder, key)
            found += [(item, (*at, i)) for i, item in enumerate(() if items is UNSET else items)]
        return found

    def _refuse(self, key: str, what: str, hint: str) -> None:
        if self._says(key):
            self._problems.about((*self._keys, key), what, hint)
