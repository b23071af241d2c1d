"""Images of a registry under another version: only the label differs, and what is no image is told."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from streamflow_build.errors import RegistryError
from streamflow_build.model.version import Version
from streamflow_build.publish.from_registry import RegistryImage, stamped
from streamflow_build.publish.layers import Layers
from streamflow_build.registry.manifest import (
    OCI_CONFIG,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    diff_ids,
    image_manifest,
)

from .giving import digest

VERSION = "org.opencontainers.image.version"


class Holding:
    """A repository with one image, of that configuration."""

    def __init__(self, config: bytes) -> None:
        self._config = config
        self.blobs = SimpleNamespace(read=lambda _: config)

    def __str__(self) -> str:
        return "r/web"

    def manifest(self, _: str) -> Manifest:
        return image_manifest(Descriptor(digest(self._config), len(self._config), OCI_CONFIG), ())


def made(config: bytes) -> RegistryImage:
    return stamped(Holding(config), "v1.0.0", Version.parse("1.1.0"), Layers())


@pytest.mark.parametrize(
    ("before", "labels"),
    [
        ({"config": {"Labels": {"a": "b", VERSION: "1.0.0"}, "User": "me"}}, {"a": "b", VERSION: "1.1.0"}),
        ({"config": {"Labels": None}}, {VERSION: "1.1.0"}),
        ({"config": {}}, {VERSION: "1.1.0"}),
        ({"config": None, "os": "linux"}, {VERSION: "1.1.0"}),
        ({"os": "linux"}, {VERSION: "1.1.0"}),
    ],
    ids=["labels", "labels are null", "no labels", "nothing configured", "no such part"],
)
def test_the_label_is_the_versions(before: dict[str, Any], labels: dict[str, str]) -> None:
    image = made(json.dumps(before).encode())
    assert image.labels == labels
    after = json.loads(image._config)
    for document in (before, after):
        document.update(config={**(document.get("config") or {}), "Labels": None})
    assert after == before


@pytest.mark.parametrize(
    "config",
    [
        b"?",
        b"[]",
        b'{"config": []}',
        b'{"config": {"Labels": []}}',
        b'{"config": {"Labels": {"a": 1}}}',
        b"",
        b'{"x":' * 100_000,
    ],
)
def test_a_configuration_that_is_none(config: bytes) -> None:
    with pytest.raises(RegistryError, match=r"^The configuration of r/web:v1.0.0 can't be read: .*\n.*"):
        made(config)


def test_manifests_and_configurations_nested_without_an_end() -> None:
    nested = b'{"x":' * 100_000
    assert diff_ids(nested) == ()
    for read in (lambda: Manifest.of(nested), lambda: Manifest(OCI_MANIFEST, nested).layers):
        with pytest.raises(RegistryError, match="nested without an end"):
            read()
