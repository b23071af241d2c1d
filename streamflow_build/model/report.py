"""The facts of a run, as frozen data: what became of each image. `--json` prints exactly these.

Sizes are in bytes, times in seconds. A key, once released, keeps its name and meaning.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from streamflow_build.errors import StreamflowError
from streamflow_build.model.image import Image, Layer

STAND_IN_ALLOWANCE = 90_000_000
"""What an image may hold beyond a stand-in base, in bytes."""
NAMED_LAYERS = 3
"""How many of an image's layers the report names."""


class Size(msgspec.Struct, frozen=True):
    """An image's size against what streamflow.yaml allows.

    ``budget`` is the declared one, ``limit`` the one that holds here (see the function ``limit``); None where
    there is none. ``largest_layers`` are the largest beyond the base, largest first.
    """

    total: int
    budget: int | None
    limit: int | None
    over_budget: bool
    largest_layers: tuple[Layer, ...]


class Built(msgspec.Struct, frozen=True, tag_field="outcome", tag="built"):
    """The image was built and has all its tags.

    ``image`` is its id; ``cached`` of ``steps`` came from the cache; ``reason`` says why it was built;
    ``log`` is the path of the build's log.
    """

    service: str
    tags: tuple[str, ...]
    image: str
    size: Size
    steps: int
    cached: int
    seconds: float
    reason: str
    log: str


class Unchanged(msgspec.Struct, frozen=True, tag_field="outcome", tag="unchanged"):
    """The image existed with the same inputs. It has all of ``tags``; ``added`` are those it got now."""

    service: str
    tags: tuple[str, ...]
    added: tuple[str, ...]
    image: str
    size: Size
    seconds: float


class Failed(msgspec.Struct, frozen=True, tag_field="outcome", tag="failed"):
    """The image could not be built, and no tag was set.

    ``step`` is BuildKit's name of the step, ``dockerfile`` the Dockerfile's path, ``dockerfile_line`` the
    step's line in it (1-based) and ``dockerfile_text`` what stands there; None where no step is to blame.
    ``output`` holds the last lines that the step printed, at most 30. ``log`` is None where the build had not
    begun.
    """

    service: str
    message: str
    hint: str | None
    step: str | None
    dockerfile: str
    dockerfile_line: int | None
    dockerfile_text: str | None
    output: tuple[str, ...]
    log: str | None
    seconds: float


class Cancelled(msgspec.Struct, frozen=True, tag_field="outcome", tag="cancelled"):
    """The build was stopped while it ran; no tag was set."""

    service: str
    seconds: float
    log: str | None


class Skipped(msgspec.Struct, frozen=True, tag_field="outcome", tag="skipped"):
    """The build never began, because of ``reason``."""

    service: str
    reason: str


Outcome = Built | Unchanged | Failed | Cancelled | Skipped


class BaseUsed(msgspec.Struct, frozen=True):
    """A base image of this run: its name in streamflow.yaml, its reference, id and size.

    ``digest`` is the registry's (``name@sha256:…``), None for one that was never in a registry.
    """

    name: str
    image: str
    id: str
    digest: str | None
    stand_in: bool
    size: int


class EngineUsed(msgspec.Struct, frozen=True):
    """The engine of this run: its version and image store."""

    version: str
    store: Literal["classic", "containerd"]


class ImagesReport(msgspec.Struct, frozen=True):
    """A run of ``images``.

    ``registry`` is the host and namespace whose tags were set too; ``images`` has one outcome per selected
    service, in the order of streamflow.yaml; ``seconds`` is the whole run.
    """

    version: str | None
    registry: str | None
    engine: EngineUsed
    bases: tuple[BaseUsed, ...]
    images: tuple[Outcome, ...]
    seconds: float
    notes: tuple[str, ...]


class PlannedImage(msgspec.Struct, frozen=True):
    """What a dry run says of a service: the action it would take, why, and the tags the image would get."""

    service: str
    action: Literal["build", "keep"]
    reason: str
    tags: tuple[str, ...]


class PlanReport(msgspec.Struct, frozen=True):
    """A dry run of ``images``."""

    version: str | None
    registry: str | None
    images: tuple[PlannedImage, ...]


def not_built(
    service: str, error: StreamflowError, *, log: str | None = None, seconds: float = 0.0
) -> Failed:
    """What became of an image whose build failed with no step to blame."""
    return Failed(
        service=service,
        message=error.message,
        hint=error.hint,
        step=None,
        dockerfile=f"docker/{service}/Dockerfile",
        dockerfile_line=None,
        dockerfile_text=None,
        output=(),
        log=log,
        seconds=seconds,
    )


def limit(budget: int | None, base: Image) -> int | None:
    """The most bytes an image may hold; None where it has no budget.

    A budget is meant for the real base. On a stand-in, which is larger, it can't be judged: there the image
    may hold 90 MB beyond its base.
    """
    if budget is None:
        return None
    return base.size + STAND_IN_ALLOWANCE if base.stand_in else budget


def measure(
    image: Image,
    layers: tuple[Layer, ...],
    *,
    budget: int | None,
    base: Image,
    base_layers: tuple[Layer, ...],
) -> Size:
    """An image against its budget; ``layers`` and ``base_layers`` are the history of it and of its base."""
    most = limit(budget, base)
    own = sorted(layers[len(base_layers) :], key=lambda layer: layer.size, reverse=True)
    over = most is not None and image.size > most
    return Size(image.size, budget, most, over, tuple(own[:NAMED_LAYERS]))
