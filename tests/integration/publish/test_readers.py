"""What was pushed, as programs read it that have nothing to do with the tool: skopeo and gzip."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from streamflow_build.publish.packing import packed

from ..conftest import digest
from ..shop import Shop
from .conftest import SERVICES, Clients, pushed
from .registries import Process


def gunzipped(packed: bytes) -> bytes:
    return subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, check=True).stdout


def test_skopeo_sees_what_the_report_says(built: Shop, registry: Process, clients: Clients) -> None:
    report = pushed(built, registry.host)

    for image in report["images"]:
        for tag in image["tags"]:
            told = clients.skopeo("inspect", "--tls-verify=false", f"docker://{image['repository']}:{tag}")
            seen = json.loads(told)
            assert seen["Digest"] == image["digest"]
            assert seen["Labels"] == built.inspected(image["service"])["Config"]["Labels"]
            assert len(seen["Layers"]) == len(built.inspected(image["service"])["RootFS"]["Layers"])
            assert sorted(seen["RepoTags"]) == sorted(image["tags"])


def test_skopeo_copies_it_and_the_layers_are_the_engines(
    built: Shop, registry: Process, clients: Clients, tmp_path: Path
) -> None:
    """skopeo compares every digest on its way; here each layer is unpacked by gzip as well."""
    pushed(built, registry.host)

    for service in SERVICES:
        folder = tmp_path / service
        reference = f"docker://{registry.host}/team/{built.name}-{service}:1.0.0"
        clients.skopeo("copy", "--src-tls-verify=false", reference, f"dir:{folder}")

        manifest = json.loads((folder / "manifest.json").read_text())
        layers = [folder / layer["digest"].removeprefix("sha256:") for layer in manifest["layers"]]
        sizes = [layer["size"] for layer in manifest["layers"]]
        assert [layer.stat().st_size for layer in layers] == sizes
        found = [digest(gunzipped(layer.read_bytes())) for layer in layers]
        assert found == built.inspected(service)["RootFS"]["Layers"]
        config = json.loads((folder / manifest["config"]["digest"].removeprefix("sha256:")).read_text())
        assert config["rootfs"]["diff_ids"] == found


def test_gzip_reads_what_is_packed() -> None:
    text = [b"one " * 1000, b"", b"two " * 300_000]
    assert gunzipped(b"".join(packed(text))) == b"".join(text)
    assert gunzipped(b"".join(packed([]))) == b""
