"""Who may push: credentials from where a user has them, tokens that expire, and nothing secret in what is told."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ..shop import Shop
from .conftest import SERVICES, Clients, pushed
from .registries import PASSWORD, USER, Fault, Gate, Process, TokenServer, comes_late


def configuration(folder: Path, host: str, **entry: str) -> str:
    """A folder with Docker's configuration, which has that entry for a host."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"auths": {host: entry}}))
    return str(folder)


def login(user: str = USER, password: str = PASSWORD) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def there(shop: Shop, host: str, clients: Clients, *full: str) -> None:
    """Everything is there, as crane sees it."""
    series = (*full, "1.0", "1", "latest")
    on = clients.digests(host, shop, *series)
    assert all(len({on[tag][service] for tag in series}) == 1 for service in SERVICES)


def test_a_private_registry_with_its_own_authority(  # noqa: PLR0913, PLR0917 - fixtures
    built: Shop,
    locked_registry: Process,
    own_authority: Path,
    clients: Clients,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = locked_registry.host
    config = configuration(tmp_path / "docker", host, auth=login())

    pushed(built, host, DOCKER_CONFIG=config)

    # crane logs in by Docker's configuration, too.
    monkeypatch.setenv("DOCKER_CONFIG", config)
    monkeypatch.setenv("SSL_CERT_FILE", str(own_authority / "ca.pem"))
    there(built, host, clients, "v1.0.0", "1.0.0")


def test_an_authority_that_nobody_knows(
    built_here: Shop, registry_of: Callable[..., Process], own_authority: Path
) -> None:
    host = registry_of({}, own_authority).host

    done = built_here.run("push", f"{host}/team")

    assert done.returncode == 6
    assert f"The registry {host} can't be trusted:" in done.stderr
    assert f"/etc/docker/certs.d/{host}/ca.crt" in done.stderr


@pytest.mark.parametrize("registry", ["locked_registry", "token_registry"])
def test_a_wrong_password_fails_before_a_layer_moves(
    registry: str, built_here: Shop, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    there: Process = request.getfixturevalue(registry)
    config = configuration(tmp_path / "docker", there.host, auth=login(password="wrong-but-secret"))

    done = built_here.run("push", f"{there.host}/team", DOCKER_CONFIG=config)

    assert done.returncode == 6
    assert f"The registry {there.host} refuses the credentials of {USER}." in done.stderr
    assert f"docker login {there.host}" in done.stderr
    assert "sending" not in done.stderr
    assert not list(there.data.rglob("_uploads"))
    assert "wrong-but-secret" not in done.stderr + done.stdout


@pytest.mark.parametrize("registry", ["locked_registry", "token_registry"])
def test_nobody_is_told_where_to_log_in(
    registry: str, built_here: Shop, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    host = request.getfixturevalue(registry).host

    done = built_here.run("push", f"{host}/team", DOCKER_CONFIG=str(tmp_path))

    assert done.returncode == 6
    assert f"The registry {host} wants credentials, and there are none for it." in done.stderr


def ways(host: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Each place that a user may have credentials in; those that stand behind it are wrong."""
    wrong = configuration(folder / "wrong", host, auth=login(password="wrong"))
    general = {"STREAMFLOW_REGISTRY_USER": USER, "STREAMFLOW_REGISTRY_PASSWORD": "wrong"}
    named = {"STREAMFLOW_REGISTRY_TEAM_USER": USER, "STREAMFLOW_REGISTRY_TEAM_PASSWORD": "wrong"}
    return {
        "config": {"DOCKER_CONFIG": configuration(folder / "right", host, auth=login())},
        "variables": {**general, "STREAMFLOW_REGISTRY_PASSWORD": PASSWORD, "DOCKER_CONFIG": wrong},
        "named": {**general, **named, "STREAMFLOW_REGISTRY_TEAM_PASSWORD": PASSWORD, "DOCKER_CONFIG": wrong},
        "given": {**general, **named, "DOCKER_CONFIG": wrong, "stdin": f"{PASSWORD}\n"},
    }


@pytest.mark.parametrize("way", ["config", "variables", "named", "given"])
def test_credentials_from_where_a_user_has_them(
    way: str, built_here: Shop, token_registry: Process, tmp_path: Path
) -> None:
    host = token_registry.host
    file = built_here.folder / "streamflow.yaml"
    file.write_text(file.read_text().replace("registry.example/team", f"{host}/team"))
    options = ["--username", USER, "--password-stdin"] if way == "given" else []

    done = built_here.run("push", "team", *options, "--json", **ways(host, tmp_path)[way])

    assert done.returncode == 0, done.stderr
    told = [done.stdout, done.stderr, (built_here.folder / ".streamflow/release.json").read_text()]
    told += [json.dumps(built_here.inspected(service)) for service in SERVICES]
    assert not any(secret in text for text in told for secret in (PASSWORD, login()))


def test_a_helper_of_dockers_is_asked(built_here: Shop, token_registry: Process, tmp_path: Path) -> None:
    helper = tmp_path / "docker-credential-mine"
    helper.write_text(f'#!/bin/sh\necho \'{{"Username": "{USER}", "Secret": "{PASSWORD}"}}\'\n')
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {token_registry.host: "mine"}}))
    path = f"{tmp_path}:{built_here.live.environ['PATH']}"

    pushed(built_here, token_registry.host, DOCKER_CONFIG=str(tmp_path), PATH=path)


def test_an_identity_token(built_here: Shop, token_registry: Process, tmp_path: Path) -> None:
    config = configuration(
        tmp_path / "docker", token_registry.host, auth=login("<token>", ""), identitytoken=PASSWORD
    )

    pushed(built_here, token_registry.host, DOCKER_CONFIG=config)


def test_a_token_that_runs_out_in_the_middle_of_a_layer_is_renewed(  # noqa: PLR0913, PLR0917 - fixtures
    built_here: Shop,
    token_registry: Process,
    tokens: TokenServer,
    clients: Clients,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens.lifetime = 2
    with closing(Gate(token_registry)) as slow:
        slow.faults.append(Fault("PUT .*/blobs/uploads/", comes_late(3)))
        config = configuration(tmp_path / "docker", slow.host, auth=login())

        done = built_here.run("push", f"{slow.host}/team", DOCKER_CONFIG=config)

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the log-in ran out; attempt 2 of 5") == 1
    config = configuration(tmp_path / "docker", token_registry.host, auth=login())
    monkeypatch.setenv("DOCKER_CONFIG", config)
    there(built_here, token_registry.host, clients, "v1.0.0", "1.0.0")


def test_a_token_for_reading_alone(
    built_here: Shop, token_registry: Process, tokens: TokenServer, tmp_path: Path
) -> None:
    tokens.grants = lambda _: ["pull"]
    config = configuration(tmp_path / "docker", token_registry.host, auth=login())

    done = built_here.run("push", f"{token_registry.host}/team", DOCKER_CONFIG=config)

    assert done.returncode == 6
    assert not list(token_registry.data.rglob("_manifests"))
