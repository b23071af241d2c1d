"""Whom the user's credentials are sent to."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import requests

from streamflow_build.errors import RegistryError
from streamflow_build.model.credentials import Credentials
from streamflow_build.registry.client import Registry
from streamflow_build.registry.retry import Patience
from streamflow_build.registry.transport import Transport

SCOPE = ("repository:org/web:pull,push",)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """Each request to a registry that wants a password: its address, and what it was sent to log in."""
    found: list[tuple[str, str | None]] = []

    def send(_: Transport, method: str, url: str, *, headers: dict[str, str], **__: Any) -> requests.Response:
        found.append((f"{method} {url}", headers.get("Authorization")))
        made = answer()
        made.url = url
        made.status_code = 200 if "Authorization" in headers else 401
        made.headers["WWW-Authenticate"] = 'Basic realm="r"'
        return made

    monkeypatch.setattr(Transport, "send", send)
    return found


def answer() -> requests.Response:
    made = requests.Response()
    made.raw = io.BytesIO()
    return made


def registry() -> Registry:
    made = Registry(
        "registry.example", lambda: Credentials("me", "hush"), Patience(lambda _: None), connections=1
    )
    made.reach()
    assert made.send("GET", "/v2/", SCOPE).status_code == 200
    return made


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("https://registry.example/v2/upload", True),
        ("https://registry.example:443/v2/upload", True),
        ("https://REGISTRY.example/v2/upload", True),
        ("https://registry.example:444/v2/upload", False),
        ("https://storage.example/upload", False),
        ("http://storage.example/upload", False),
    ],
)
def test_the_registry_alone_gets_them(address: str, ours: bool, asked: list[tuple[str, str | None]]) -> None:
    registry().send("PUT", address, SCOPE, data=b"")
    assert asked[-1] == (f"PUT {address}", "Basic bWU6aHVzaA==" if ours else None)


@pytest.mark.parametrize("port", ["", ":80", ":443"])
def test_nobody_gets_them_in_the_clear(port: str, asked: list[tuple[str, str | None]]) -> None:
    there = registry()
    before = list(asked)
    with pytest.raises(RegistryError) as caught:
        there.send("PUT", f"http://registry.example{port}/v2/upload", SCOPE, data=b"")
    assert asked == before
    assert caught.value.message == (
        f"The registry registry.example gave an address in the clear: http://registry.example{port}."
    )


def test_who_is_redirected_to_gets_no_log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def send(_: Transport, method: str, url: str, **__: Any) -> requests.Response:
        asked.append(f"{method} {url}")
        made = answer()
        made.status_code, made.url = 401, "https://elsewhere.example/blob"
        made.headers["WWW-Authenticate"] = 'Bearer realm="https://elsewhere.example/token"'
        return made

    there = Registry(
        "registry.example", lambda: pytest.fail("asked"), Patience(lambda _: None), connections=1
    )
    monkeypatch.setattr(Transport, "send", send)
    there.reach()
    asked.clear()
    assert there.send("GET", "/v2/org/web/blobs/x", SCOPE).status_code == 401
    assert asked == ["GET https://registry.example/v2/org/web/blobs/x"]


def test_who_was_redirected_to_after_the_log_in_refuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def send(_: Transport, __: str, url: str, *, headers: dict[str, str], **___: Any) -> requests.Response:
        made = answer()
        made.status_code = 401
        made.url = "https://elsewhere.example/blob" if "Authorization" in headers else url
        made.headers["WWW-Authenticate"] = 'Basic realm="r"'
        return made

    there = Registry(
        "registry.example", lambda: Credentials("me", "hush"), Patience(lambda _: None), connections=1
    )
    monkeypatch.setattr(Transport, "send", send)
    there.reach()
    assert there.send("GET", "/v2/org/web/blobs/x", SCOPE).url == "https://elsewhere.example/blob"


@pytest.mark.parametrize("kept", [True, False])
def test_a_redirection_gets_no_password_of_netrc(
    kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    session = Transport("registry.example", connections=1)._session
    before = requests.Response()
    before.request = requests.Request("GET", "https://registry.example/v2/blob").prepare()
    host = "registry.example" if kept else "storage.example"
    following = requests.Request("GET", f"https://{host}/x", headers={"Authorization": "Bearer t"}).prepare()
    session.rebuild_auth(following, before)
    assert following.headers.get("Authorization") == ("Bearer t" if kept else None)
