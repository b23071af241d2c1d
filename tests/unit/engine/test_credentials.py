from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from streamflow_build.engine.credentials import check_configuration, credentials
from streamflow_build.errors import EngineError, RegistryError

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
    assert error.value.hint == "Run `docker login ghcr.io`, or fix ~/.docker/config.json."


SHAPE = "a part of it is not of the kind that Docker writes there"
LOGIN_FAULT = "a registry's `auth` is not the base64 of user:password"


@pytest.mark.parametrize("token", ["a\ud800", "t0ken\n"])
def test_what_no_header_can_hold_is_told(token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"ghcr.io": {"identitytoken": token}}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(RegistryError) as caught:
        credentials("ghcr.io")
    assert str(caught.value) == (
        "Docker's configuration has credentials for ghcr.io that are no printable text.\n"
        "Run `docker login ghcr.io` again."
    )


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ([], SHAPE),
        ({"auths": ["x"]}, SHAPE),
        ({"proxies": {"default": []}}, SHAPE),
        ({"auths": {"ghcr.io": "x"}}, "Invalid configuration for registry ghcr.io"),
        ({"auths": {"ghcr.io": {"auth": "hunter2"}}}, LOGIN_FAULT),
        ({"auths": {"ghcr.io": {"auth": base64.b64encode(b"hunter2").decode()}}}, LOGIN_FAULT),
    ],
)
def test_a_broken_configuration_of_docker_is_named(
    config: object, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "config.json"
    place.write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(EngineError) as error:
        check_configuration()
    assert str(error.value) == (
        f"Docker's configuration {place} is broken: {fault}.\n"
        "Fix the file, or move it away and run `docker login` again."
    )


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"user: me", "it is no JSON: Expecting value: line 1 column 1 (char 0)"),
        (b'{"auths": {}', "it is no JSON: Expecting ',' delimiter: line 1 column 13 (char 12)"),
        (
            b'{"auths": "\xff"}',
            "it is no JSON: 'utf-8' codec can't decode byte 0xff in position 11: invalid start byte",
        ),
    ],
)
def test_a_configuration_that_is_no_json(
    content: bytes, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "config.json"
    place.write_bytes(content)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(EngineError) as error:
        check_configuration()
    assert error.value.message == f"Docker's configuration {place} is broken: {fault}."


@pytest.mark.parametrize("content", [b"", b" \n", b"{}"])
def test_an_empty_configuration_is_none(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_bytes(content)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    check_configuration()


@pytest.mark.parametrize("config", [{"credHelpers": ["x"]}, {"credsStore": 5}])
def test_broken_names_of_helpers_are_no_credentials(
    config: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(
        RegistryError, match=r"^Docker's configuration has no usable credentials for ghcr.io: "
    ):
        credentials("ghcr.io")
