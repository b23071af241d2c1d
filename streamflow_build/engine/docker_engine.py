"""The real engine: docker-py's connection, and BuildKit behind it."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from docker.errors import APIError

from streamflow_build.engine import stored
from streamflow_build.engine.connection import Connection
from streamflow_build.engine.export import Exports
from streamflow_build.engine.interface import BuildObserver, Built, EngineInfo, PullObserver, TakeFile
from streamflow_build.engine.pull import pull
from streamflow_build.errors import EngineError
from streamflow_build.model.image import BuildRequest, Image, Layer

if TYPE_CHECKING:
    from streamflow_build.engine.builds import Builds

_CONTAINERD = "io.containerd.snapshotter.v1"


def connect(environ: Mapping[str, str] = os.environ) -> DockerEngine:
    """The engine of DOCKER_HOST, or of the current docker context.

    Raises EngineError where none answers there, or it is older than 23, or builds without BuildKit.
    """
    return DockerEngine(Connection(environ))


class DockerEngine:
    """Implements ``interface.Engine`` on a Docker Engine that answered."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._started: Builds | None = None
        self._exports = Exports(connection)

    def info(self) -> EngineInfo:
        connection = self._connection
        with connection.errors():
            try:
                info = connection.client.info()
            except APIError as error:
                raise connection.refused("to describe itself", error) from error
        status = dict(entry for entry in info.get("DriverStatus") or () if len(entry) == 2)  # noqa: PLR2004
        return EngineInfo(
            version=info["ServerVersion"],
            cpus=info["NCPU"],
            store="containerd" if status.get("driver-type") == _CONTAINERD else "classic",
        )

    def image(self, reference: str) -> Image | None:
        return stored.find(self._connection, reference)

    def tags(self, repository: str) -> frozenset[str]:
        return stored.tags(self._connection, repository)

    def history(self, reference: str) -> tuple[Layer, ...]:
        return stored.layers(self._connection, reference)

    def pull(self, reference: str, *, mirror: str | None, observer: PullObserver) -> Image:
        pull(self._connection, reference, mirror, observer)
        return self._held(reference)

    def build(self, request: BuildRequest, observer: BuildObserver) -> Built:
        image, trace = self._builds.build(request, observer)
        steps = trace.steps
        return Built(self._held(image), len(steps), sum(step.cached for step in steps))

    def tag(self, image: str, references: tuple[str, ...]) -> None:
        stored.tag(self._connection, image, references)

    def export(self, images: tuple[str, ...], take: TakeFile) -> None:
        self._exports.export(images, take)

    def cancel(self) -> None:
        self._exports.cancel()
        self._builds.cancel()

    def close(self) -> None:
        with self._lock:
            if self._started:
                self._started.close()
        self._connection.close()

    @property
    def _builds(self) -> Builds:
        # gRPC and protobuf cost as much to import as docker-py does; a run in which nothing changed needs
        # neither.
        from streamflow_build.engine.builds import Builds  # noqa: PLC0415

        with self._lock:
            if self._started is None:
                self._started = Builds(self._connection)
            return self._started

    def _held(self, reference: str) -> Image:
        image = self.image(reference)
        if image is None:
            raise EngineError(f"The Docker Engine at {self._connection.address} lost the image {reference}.")
        return image
