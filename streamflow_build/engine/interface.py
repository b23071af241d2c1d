"""What the rest of the tool asks of a container engine, and what an engine tells while it builds.

``docker_engine.DockerEngine`` is the real one, ``fake.FakeEngine`` keeps images in memory; one contract suite
(tests/contract) holds for both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

from streamflow_build.errors import BuildError
from streamflow_build.model.image import BuildRequest, Image, Layer


class EngineInfo(msgspec.Struct, frozen=True):
    """What an engine says of itself: its version, its CPUs and its image store."""

    version: str
    cpus: int
    store: Literal["classic", "containerd"]


class StepStarted(msgspec.Struct, frozen=True):
    """A step of a build began.

    ``name`` is BuildKit's, such as ``[common 2/3] RUN uv pip install …``; ``number`` of ``total`` counts the
    steps of this build, in the order in which they began, among those known so far.
    """

    step: str
    name: str
    number: int
    total: int


class StepProgress(msgspec.Struct, frozen=True):
    """Bytes done of a step that transfers something, such as a base's layer; ``total`` is 0 if unknown."""

    step: str
    what: str
    current: int
    total: int


class StepOutput(msgspec.Struct, frozen=True):
    """A whole line that a step printed, without its line end."""

    step: str
    line: str


class StepFinished(msgspec.Struct, frozen=True):
    """A step ended: from the cache, by running, or with an error (its message)."""

    step: str
    name: str
    cached: bool
    seconds: float
    error: str | None


class BuildWarning(msgspec.Struct, frozen=True):
    """BuildKit's linter has something to say about a line of the Dockerfile (1-based; 0 for no line)."""

    message: str
    line: int


BuildEvent = StepStarted | StepProgress | StepOutput | StepFinished | BuildWarning
BuildObserver = Callable[[BuildEvent], None]
PullObserver = Callable[[str, int, int], None]
"""Called with a layer's id, the bytes done and the bytes in all."""


class Readable(Protocol):
    """Content that comes by and by."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, at most so many; none at the end."""


TakeFile = Callable[[str, Readable], bool]
"""Called with a file's path in an archive and its content, which can be read until the call ends.

It says whether more of the archive is wanted.
"""


class Built(msgspec.Struct, frozen=True):
    """A finished build: the image; how many of its RUN, COPY, ADD and WORKDIR steps came from the cache."""

    image: Image
    steps: int
    cached: int


class StepFailed(BuildError):  # noqa: N818 - what happened, as events are named
    """A build failed; the attributes say where.

    ``step`` is BuildKit's name of the failed step, or None where the build failed outside any step (a
    Dockerfile that doesn't parse, a base image that is not available). ``dockerfile_line`` is 1-based, None where
    it is unknown. ``output`` holds the last lines that the failed step printed, at most 30.
    """

    def __init__(
        self,
        message: str,
        *,
        step: str | None = None,
        dockerfile_line: int | None = None,
        output: tuple[str, ...] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.step = step
        self.dockerfile_line = dockerfile_line
        self.output = output


class BuildCancelled(BuildError):  # noqa: N818 - what happened
    """The build was cancelled by ``Engine.cancel``; no tag was set."""


class Engine(Protocol):
    """A container engine. Every method may be called from any thread.

    Each raises EngineError when the engine doesn't answer or goes away.
    """

    def info(self) -> EngineInfo:
        """Version, CPUs, image store. Raises EngineError for an engine without BuildKit or older than 23."""

    def image(self, reference: str) -> Image | None:
        """The image of that tag, digest or id; None where the engine holds none."""

    def tags(self, repository: str) -> frozenset[str]:
        """The tags that images of a repository have, such as ``streamflow-storage``."""

    def history(self, reference: str) -> tuple[Layer, ...]:
        """The image's layers that hold bytes, from the lowest; raises EngineError for an unknown image."""

    def pull(self, reference: str, *, mirror: str | None, observer: PullObserver) -> Image:
        """Get an image from its registry, or from ``mirror`` (host and path prefix) under its own name.

        Uses the credentials of Docker's own configuration. Raises RegistryError when it is not available.
        """

    def build(self, request: BuildRequest, observer: BuildObserver) -> Built:
        """Build and tag one image; blocks, and tells the observer what happens, from this thread.

        Raises StepFailed, BuildCancelled, EngineError.
        """

    def tag(self, image: str, references: tuple[str, ...]) -> None:
        """Give an image, named by its id, further names."""

    def export(self, images: tuple[str, ...], take: TakeFile) -> None:
        """Give images out, named by their ids: each file of an archive as ``docker save`` makes it.

        Blocks. Raises Interrupted once it is cancelled.
        """

    def cancel(self) -> None:
        """End every build and export that runs; a build then raises BuildCancelled. Later ones are refused."""

    def close(self) -> None:
        """Close all connections. The engine can't be used afterwards."""
