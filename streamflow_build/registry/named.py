"""What a registry knows under one name, and how it is asked for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import requests

from streamflow_build.registry.access import Scope
from streamflow_build.registry.client import Registry

T = TypeVar("T")


class Named:
    """A name in a registry, such as ``org/streamflow-storage``, whether there is anything of it or not."""

    def __init__(self, registry: Registry, name: str) -> None:
        self.registry = registry
        self.name = name
        self.scope: Scope = (f"repository:{name}:pull,push",)

    def __str__(self) -> str:
        return f"{self.registry.host}/{self.name}"

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        data: bytes | None = None,
        stream: bool = False,
    ) -> requests.Response:
        """The answer to one request for something below the name. Raises RegistryError, or Transient."""
        place = f"/v2/{self.name}/{path}"
        return self.registry.send(method, place, self.scope, headers=headers, data=data, stream=stream)

    def patiently(self, attempt: Callable[[], T]) -> T:
        """What the attempt gives, which is made again where something was transient. Raises RegistryError."""
        return self.registry.patience.run(str(self), attempt)
