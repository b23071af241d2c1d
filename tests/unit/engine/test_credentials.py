from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from streamflow_build.engine.credentials import credentials
from streamflow_build.errors import RegistryError

LOGIN = {"auth": base64.b64encode(b"me:s3cret").decode()}


@pytest.mark.parametrize(
    ("config", "host", "expected"),
    [
        ({}, "ghcr.io", ("", "")),
        ({"auths": {"ghcr.io": LOGIN}}, "ghcr.io", ("me", "s3cret")),
        ({"auths": {"https://ghcr.io/v2/": LOGIN}}, "ghcr.io", ("me", "s3cret")),
        ({"auths": {"ghcr.io": LOGIN}}, "quay.io", ("", "")),
        ({"auths": {"https://index.docker.io/v1/": LOGIN}}, "registry-1.docker.io", ("me", "s3cret")),
        ({"auths": {"https://index.docker.io/v1/": LOGIN}}, "docker.io", ("me", "s3cret")),
        ({"auths": {"localhost:5000": LOGIN}}, "localhost:5000", ("me", "s3cret")),
        ({"auths": {"ghcr.io": {"identitytoken": "t0ken"}}}, "ghcr.io", ("", "t0ken")),
        ({"auths": {"ghcr.io": {}}}, "ghcr.io", ("", "")),
    ],
    ids=["none", "login", "url", "other host", "hub", "hub's name", "port", "identity token", "empty"],
)
def test_docker_configuration_is_asked(
    config: dict[str, object],
    host: str,
    expected: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    found = credentials(host)
    assert found == expected
    assert "s3cret" not in repr(found)
    assert "t0ken" not in repr(found)


def test_a_missing_credential_helper_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {"ghcr.io": "not-there"}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(RegistryError) as error:
        credentials("ghcr.io")
    assert error.value.message.startswith("Docker's configuration has no usable credentials for ghcr.io: ")
    assert "docker-credential-not-there not installed or not available in PATH" in error.value.message
    assert error.value.hint == "Run `docker login ghcr.io`, or mend ~/.docker/config.json."
