"""An engine in memory, for tests of what uses one: no socket, no process, the same contract as the real one.

It understands as much of a Dockerfile as tests need: ``echo`` prints a line, ``exit N`` and ``false`` fail,
``sleep`` lasts until the build is cancelled, COPY wants its files in the context, FROM an image or a stage.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterable, Mapping

import msgspec

from streamflow_build.engine.dockerfile import Instruction, instructions
from streamflow_build.engine.interface import (
    BuildCancelled,
    BuildObserver,
    Built,
    EngineInfo,
    PullObserver,
    StepFailed,
    StepFinished,
    StepOutput,
    StepStarted,
    TakeFile,
)
from streamflow_build.errors import EngineError, RegistryError
from streamflow_build.model.image import BuildRequest, ContextFile, Image, Layer

_STEPS = frozenset({"RUN", "COPY", "ADD", "WORKDIR"})


class FakeEngine:
    """Implements ``interface.Engine`` in memory."""

    def __init__(self, images: Iterable[Image] = (), registry: Mapping[str, Image] | None = None) -> None:
        """``images`` are those it holds, ``registry`` those it can pull, by their references."""
        self._lock = threading.Lock()
        images = tuple(images)
        self._images = {image.id: image for image in images}
        self._layers: dict[str, tuple[Layer, ...]] = {image.id: _only_layer(image) for image in images}
        self._registry = dict(registry or {})
        self._cache: set[str] = set()
        self._cancelled = threading.Event()
        self._gone = False

    def go_away(self) -> None:
        """Fail every further call, and the builds that run, as an engine does that was killed."""
        self._gone = True
        self._cancelled.set()

    def info(self) -> EngineInfo:
        self._answer()
        return EngineInfo(version="28.0.0", cpus=2, store="classic")

    def image(self, reference: str) -> Image | None:
        self._answer()
        full = _full(reference)
        with self._lock:
            return next(
                (
                    i
                    for i in self._images.values()
                    if reference == i.id or full in i.tags or reference in i.digests
                ),
                None,
            )

    def tags(self, repository: str) -> frozenset[str]:
        self._answer()
        with self._lock:
            names = [name.rpartition(":") for image in self._images.values() for name in image.tags]
        return frozenset(tag for named, _, tag in names if named == repository)

    def history(self, reference: str) -> tuple[Layer, ...]:
        return self._layers[self._held(reference).id]

    def pull(self, reference: str, *, mirror: str | None, observer: PullObserver) -> Image:
        self._answer()
        if reference not in self._registry:
            where = f" through the mirror {mirror}" if mirror else ""
            raise RegistryError(f"The image {reference} is not available{where}: not found")
        image = self._registry[reference]
        observer("layer", image.size, image.size)
        with self._lock:
            self._keep(image, _only_layer(image))
        self.tag(image.id, (reference,))
        return self._held(image.id)

    def build(self, request: BuildRequest, observer: BuildObserver) -> Built:
        self._answer()
        self._check(request)
        run = _Build(self, request, observer)
        image = run.image()
        self._check(request)
        with self._lock:
            self._keep(image, run.layers)
        self.tag(image.id, request.tags)
        return Built(self._held(image.id), run.steps, run.cached)

    def tag(self, image: str, references: tuple[str, ...]) -> None:
        held = self._held(image)
        names = {_full(reference) for reference in references}
        if bad := next((name for name in references if name != name.lower().strip()), None):
            raise EngineError(
                f"The Docker Engine in memory refused to tag {image} as {bad}: invalid reference format"
            )
        with self._lock:
            for other in self._images.values():
                kept = names.union(other.tags) if other.id == held.id else set(other.tags) - names
                self._images[other.id] = msgspec.structs.replace(other, tags=tuple(sorted(kept)))

    def export(self, images: tuple[str, ...], take: TakeFile) -> None:  # noqa: ARG002
        self._answer()
        raise EngineError("The Docker Engine in memory has no layers to export.")

    def cancel(self) -> None:
        self._cancelled.set()

    def close(self) -> None:
        """Nothing is open."""

    def step_is_cached(self, key: str) -> bool:
        """Whether a step with that key has run before; from now on it has."""
        with self._lock:
            known = key in self._cache
            self._cache.add(key)
        return known

    def wait_for_cancel(self, request: BuildRequest) -> None:
        """What a step does that lasts: end with the build."""
        self._cancelled.wait()
        self._check(request)

    def _keep(self, image: Image, layers: tuple[Layer, ...]) -> None:
        if image.id not in self._images:
            self._images[image.id] = image
            self._layers[image.id] = layers

    def _answer(self) -> None:
        if self._gone:
            raise EngineError("The Docker Engine in memory went away.")

    def _check(self, request: BuildRequest) -> None:
        self._answer()
        if self._cancelled.is_set():
            raise BuildCancelled(f"The build of {request.service} was cancelled.")

    def _held(self, reference: str) -> Image:
        image = self.image(reference)
        if image is None:
            raise EngineError(f"The Docker Engine in memory holds no image {reference}.")
        return image


class _Build:
    """One build: its Dockerfile, step by step."""

    def __init__(self, engine: FakeEngine, request: BuildRequest, observer: BuildObserver) -> None:
        self._engine, self._request, self._tell = engine, request, observer
        self._files = {file.path: file for file in request.context}
        self._key = ""
        self._stages: set[str] = set()
        self.layers: tuple[Layer, ...] = ()
        self.steps = 0
        self.cached = 0

    def image(self) -> Image:
        script = list(instructions(self._files[self._request.dockerfile].content.decode()))
        total = sum(instruction.keyword in _STEPS for instruction in script)
        for instruction in script:
            if instruction.keyword == "FROM":
                self._begin(instruction)
            elif instruction.keyword in _STEPS:
                self._step(instruction, total)
        identity = hashlib.sha256(
            repr((self._key, sorted(self._request.labels.items()))).encode()
        ).hexdigest()
        return Image(
            id=f"sha256:{identity}",
            tags=(),
            digests=(),
            labels=dict(self._request.labels),
            size=sum(layer.size for layer in self.layers),
            diff_ids=(f"sha256:{hashlib.sha256(self._key.encode()).hexdigest()}",),
        )

    def _begin(self, instruction: Instruction) -> None:
        words = instruction.text.split()
        if words[1] not in self._stages:
            base = self._engine.image(words[1])
            if base is None:
                raise StepFailed(
                    f"The base image {words[1]} is not available: not found", dockerfile_line=instruction.line
                )
            self._key, self.layers = base.id, self._engine.history(base.id)
        self._stages.add(words[-1])

    def _step(self, instruction: Instruction, total: int) -> None:
        copied = self._copied(instruction)
        self._key += repr((instruction.text, [(file.path, file.mode, file.content) for file in copied]))
        step = hashlib.sha256(self._key.encode()).hexdigest()
        self.steps += 1
        name = f"[{self.steps + 1}/{total + 1}] {instruction.text}"
        cached = self._engine.step_is_cached(step) and not self._request.no_cache
        self.cached += cached
        self._tell(StepStarted(step, name, self.steps, total))
        if not cached and instruction.keyword == "RUN":
            self._run(instruction, step, name)
        self._tell(StepFinished(step, name, cached, 0.0, None))
        if size := sum(len(file.content) for file in copied):
            self.layers = (*self.layers, Layer(instruction.text, size))

    def _run(self, instruction: Instruction, step: str, name: str) -> None:
        printed: list[str] = []
        for command in re.split(r"\s*(?:;|&&)\s*", instruction.text.removeprefix("RUN ")):
            word, _, rest = command.partition(" ")
            if word == "echo":
                printed.append(rest)
                self._tell(StepOutput(step, rest))
            elif word == "sleep":
                self._engine.wait_for_cancel(self._request)
            elif word in {"exit", "false"}:
                code = rest or "1"
                message = f"The command ended with exit code {code}."
                self._tell(StepFinished(step, name, cached=False, seconds=0.0, error=message))
                raise StepFailed(
                    message, step=name, dockerfile_line=instruction.line, output=tuple(printed[-30:])
                )

    def _copied(self, instruction: Instruction) -> tuple[ContextFile, ...]:
        words = instruction.text.split()[1:]
        if instruction.keyword not in {"COPY", "ADD"} or words[0].startswith("--from"):
            return ()
        found: list[ContextFile] = []
        for source in words[:-1]:
            inside = source.strip("/")
            here = [
                f for path, f in self._files.items() if inside in {path, "."} or path.startswith(f"{inside}/")
            ]
            if not here:
                raise StepFailed(f"{inside} is not in the build context.", dockerfile_line=instruction.line)
            found += here
        return tuple(found)


def _only_layer(image: Image) -> tuple[Layer, ...]:
    return (Layer("ADD base", image.size),)


def _full(reference: str) -> str:
    """A reference with its tag, as the engine lists it."""
    return reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"
