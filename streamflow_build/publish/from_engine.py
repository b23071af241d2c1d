"""Images that the engine holds, and sends itself."""

from __future__ import annotations

from streamflow_build.engine.interface import Engine, PushFailed
from streamflow_build.errors import RegistryError
from streamflow_build.model.image import Image
from streamflow_build.publish.candidate import Progress
from streamflow_build.publish.tags import read_back
from streamflow_build.registry.manifest import Manifest
from streamflow_build.registry.repository import Repository
from streamflow_build.registry.retry import Transient


class EngineImage:
    """A Candidate: one of the engine's images."""

    def __init__(self, engine: Engine, image: Image) -> None:
        self._engine = engine
        self._image = image

    @property
    def labels(self) -> dict[str, str]:
        return self._image.labels

    @property
    def layers(self) -> tuple[str, ...]:
        return self._image.diff_ids

    @property
    def named(self) -> str:
        return f"here it is image {self._image.id}"

    def is_in(self, manifest: Manifest) -> bool:
        """An image's id is its configuration's digest with the classic image store, else its manifest's."""
        config = manifest.config
        return self._image.id in {manifest.digest, None if config is None else config.digest}

    def send(self, repository: Repository, tag: str, progress: Progress) -> Manifest:
        """The engine sends what has a name there, so it has that name meanwhile."""
        repository.check_writable()
        reference = f"{repository}:{tag}"
        had = self._engine.image(reference)
        self._engine.tag(self._image.id, (reference,))
        try:
            digest = self._push(repository, reference, progress)
        finally:
            if had is None:
                self._engine.untag(reference)
        return read_back(repository, tag, digest)

    def _push(self, repository: Repository, reference: str, progress: Progress) -> str:
        registry = repository.registry
        layers: dict[str, tuple[int, int]] = {}

        def tell(layer: str, current: int, total: int, *, done: bool) -> None:
            _, known = layers.get(layer, (0, 0))
            layers[layer] = (known, known) if done else (min(current, total or current), total or known)
            progress(sum(sent for sent, _ in layers.values()), sum(size for _, size in layers.values()))

        def attempt() -> str:
            layers.clear()
            try:
                return self._engine.push(reference, registry.credentials, tell)
            except PushFailed as failure:
                # Who may write at first and then may not has a token that ran out, which the engine doesn't renew.
                if failure.transient or "unauthorized" in failure.message.lower():
                    raise Transient(f"the engine's push failed: {failure.message}") from failure
                raise RegistryError(
                    f"The engine could not push {reference}: {failure.message}",
                    hint=f"See that the engine reaches {registry.host}, and that its user may write there.",
                ) from failure

        return registry.patience.run(reference, attempt)
