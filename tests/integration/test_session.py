"""Sessions over every kind of connection, and the credentials that they carry."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from streamflow_build.engine.docker_engine import DockerEngine, connect
from streamflow_build.engine.interface import StepFailed, StepOutput
from streamflow_build.errors import RegistryError
from streamflow_build.model.image import BuildRequest

RequestOf = Callable[..., BuildRequest]
READ = "RUN --mount=type=secret,id=token,required=true cat /run/secrets/token; echo {token}\n"


def test_a_secret_travels_over_tcp_and_tls(
    over_tcp: dict[str, str], default_store: object, request_of: RequestOf, tidy: Callable[[object], None]
) -> None:
    tidy(default_store)
    secret = b"x" * 100_000 + b"\n"
    engine = connect(over_tcp)
    try:
        lines: list[str] = []
        engine.build(
            request_of(READ, secrets={"token": secret}),
            lambda event: lines.append(event.line) if isinstance(event, StepOutput) else None,
        )
    finally:
        engine.close()
    assert lines[0] == secret.decode().strip()


def test_many_sessions_at_once_and_one_after_another(engine: DockerEngine, request_of: RequestOf) -> None:
    """The engine's first bytes come early in some connections only; twelve show both kinds."""
    for number in range(12):
        lines: list[str] = []
        engine.build(
            request_of(READ, secrets={"token": f"value {number}\n".encode()}, no_cache=True),
            lambda event, lines=lines: lines.append(event.line) if isinstance(event, StepOutput) else None,
        )
        assert lines[0] == f"value {number}"


def auths(folder: Path, host: str) -> None:
    login = base64.b64encode(b"me:s3cret").decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": login}}}))


def helper(folder: Path, host: str) -> None:
    program = folder / "docker-credential-streamflowtest"
    program.write_text('#!/bin/sh\ncat >/dev/null\necho \'{"Username": "me", "Secret": "s3cret"}\'\n')
    program.chmod(0o755)
    (folder / "config.json").write_text(json.dumps({"credHelpers": {host: "streamflowtest"}}))


@pytest.mark.parametrize("configure", [auths, helper])
def test_a_private_base_is_had_with_dockers_own_credentials(  # noqa: PLR0913, PLR0917 - fixtures
    configure: Callable[[Path, str], None],
    engine: DockerEngine,
    request_of: RequestOf,
    token: str,
    private_registry: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(tmp_path, private_registry)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    built = engine.build(
        request_of(f"FROM {private_registry}/private/{token}:1\nCOPY docker /docker\n"), lambda _: None
    )

    assert built.steps == 1
    assert "s3cret" not in repr(built)


def test_a_private_base_is_refused_without(  # noqa: PLR0913, PLR0917 - fixtures
    engine: DockerEngine,
    request_of: RequestOf,
    token: str,
    private_registry: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(StepFailed) as failure:
        engine.build(
            request_of(f"FROM {private_registry}/refused/{token}:1\nCOPY docker /docker\n"), lambda _: None
        )
    assert failure.value.message.startswith(
        f"The base image {private_registry}/refused/{token}:1 is not available: "
    )
    assert "401" in failure.value.message
    assert failure.value.dockerfile_line == 2


def test_an_image_is_pulled_through_a_mirror_under_its_own_name(
    engine: DockerEngine, token: str, private_registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auths(tmp_path, private_registry)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    image = engine.pull(f"{token}:1", mirror=f"{private_registry}/hub", observer=lambda *_: None)

    assert image.tags == (f"{token}:1",)
    assert image.labels == {"org.streamflow.test": token}
    assert engine.image(f"{private_registry}/hub/library/{token}:1") is None


def test_a_pull_without_credentials_says_so(
    engine: DockerEngine, token: str, private_registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(RegistryError) as error:
        engine.pull(f"{private_registry}/{token}:1", mirror=None, observer=lambda *_: None)
    assert error.value.message.startswith(f"The image {private_registry}/{token}:1 is not available: ")
    assert error.value.hint == (
        f"Check its name, that {private_registry} can be reached from the engine, and `docker login "
        f"{private_registry}`; `mirrors:` in streamflow.yaml names another source for it."
    )
