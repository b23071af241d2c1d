"""One repository of a registry: its tags and manifests, and the blobs that these consist of."""

from __future__ import annotations

import msgspec
import requests

from streamflow_build.errors import RegistryError
from streamflow_build.registry.answers import address, check, document, whole
from streamflow_build.registry.blobs import Blobs
from streamflow_build.registry.client import Registry
from streamflow_build.registry.manifest import ACCEPTED, LARGEST, Manifest
from streamflow_build.registry.named import Named

_PAGE = 1000
_MOST_PAGES = 10_000
_DIGEST = "Docker-Content-Digest"


class _Tags(msgspec.Struct, frozen=True):
    tags: tuple[str, ...] | None


class Repository(Named):
    """One repository, such as ``org/streamflow-storage``, whether it is there or not.

    Whatever is transient is tried again; every method raises RegistryError for the rest.
    """

    def __init__(self, registry: Registry, name: str) -> None:
        super().__init__(registry, name)
        self.blobs = Blobs(registry, name)

    def tags(self) -> frozenset[str]:
        """All its tags; none where there is no such repository yet."""
        found: set[str] = set()
        path: str | None = f"/v2/{self.name}/tags/list?n={_PAGE}"
        seen: set[str] = set()
        while path is not None:
            if path in seen:
                raise RegistryError(f"{self} lists its tags in a circle: after {path} it comes again.")
            if len(seen) == _MOST_PAGES:
                raise RegistryError(
                    f"{self} lists its tags without an end, in more than {_MOST_PAGES} pages."
                )
            seen.add(path)
            path = self._tags_page(path, found)
        return frozenset(found)

    def digest(self, reference: str) -> str | None:
        """The digest of the manifest of a tag; None where there is no such tag."""

        def ask() -> str | None:
            answer = self.ask("HEAD", f"manifests/{reference}", headers={"Accept": ", ".join(ACCEPTED)})
            if answer.status_code == requests.codes.not_found:
                return None
            check(answer, f"the manifest of {self.name}:{reference}")
            return answer.headers.get(_DIGEST, "")

        told = self.patiently(ask)
        if told == "":  # a registry need not tell it
            manifest = self.manifest(reference)
            return None if manifest is None else manifest.digest
        return told

    def manifest(self, reference: str) -> Manifest | None:
        """The manifest of a tag or digest, its bytes as they are there; None where there is none.

        Raises RegistryError where they aren't what the registry says they are.
        """

        def ask() -> Manifest | None:
            accepted = {"Accept": ", ".join(ACCEPTED)}
            with self.ask("GET", f"manifests/{reference}", headers=accepted, stream=True) as answer:
                if answer.status_code == requests.codes.not_found:
                    return None
                check(answer, f"the manifest of {self.name}:{reference}")
                content = whole(answer, LARGEST, f"The manifest of {self}:{reference}")
            manifest = Manifest(answer.headers.get("Content-Type", "").partition(";")[0], content)
            told = reference if reference.startswith("sha256:") else answer.headers.get(_DIGEST)
            if told is not None and told != manifest.digest:
                raise RegistryError(
                    f"{self}:{reference} is not what the registry says: it names {told}, and sends {manifest.digest}.",
                    hint="Something between here and the registry changes what is sent, or the registry is broken.",
                )
            return manifest

        return self.patiently(ask)

    def put(self, reference: str, manifest: Manifest) -> None:
        """Set a tag, or put a manifest under its digest. Raises RegistryError where another digest is answered."""
        if len(manifest.content) > LARGEST:
            raise RegistryError(f"The manifest of {self}:{reference} has more than {LARGEST} bytes.")

        def ask() -> None:
            answer = self.ask(
                "PUT",
                f"manifests/{reference}",
                headers={"Content-Type": manifest.media_type},
                data=manifest.content,
            )
            check(answer, f"the tag {self.name}:{reference}")
            told = answer.headers.get(_DIGEST, manifest.digest)
            if told != manifest.digest:
                raise RegistryError(f"{self}:{reference} was sent as {manifest.digest}, and taken as {told}.")

        self.patiently(ask)

    def lost(self, manifest: Manifest) -> tuple[str, ...]:
        """The digests of what a manifest consists of and that isn't there.

        Raises RegistryError for a layer of another length, and for a configuration of another content: no upload
        mends them, as their digests are taken already.
        """
        found: list[str] = []
        for inner in manifest.manifests:
            there = self.manifest(inner.digest)
            found += [inner.digest] if there is None else self.lost(there)
        config = manifest.config
        if config is not None and not (self.blobs.keeps if config.is_checkable else self.blobs.has)(config):
            found.append(config.digest)
        layers = {layer.digest: layer for layer in manifest.layers}
        return (*found, *(digest for digest, layer in layers.items() if not self.blobs.has(layer)))

    def _tags_page(self, path: str, found: set[str]) -> str | None:
        def ask() -> str | None:
            answer = self.registry.send("GET", path, self.scope)
            if answer.status_code == requests.codes.not_found:
                return None
            check(answer, f"the tags of {self.name}")
            try:
                found.update(msgspec.convert(document(answer), _Tags).tags or ())
            except msgspec.ValidationError as error:
                raise RegistryError(f"What {self} answers is no list of tags.") from error
            further = answer.links.get("next", {}).get("url")
            return None if further is None else address(answer.url, further)

        return self.patiently(ask)
