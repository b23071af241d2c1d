"""Nobody gets in who shouldn't: tokens and roles, on every route of every service."""

from __future__ import annotations

import base64
import json
import re
import time
from typing import Any
from uuid import uuid4

import jwt
import pytest
from pydantic import SecretStr

from streamflow.cli import main
from streamflow.ingestion.app import Settings, create_app
from streamflow.shared.auth import mint
from streamflow.shared.settings import DEVELOPMENT_KEY, SettingsError, read

from .asgi import ask

KEY = SecretStr("a-key-for-tests-that-is-long-enough")
EVENT = {"type": "custom", "source": "test"}


def claims(**changed: Any) -> dict[str, Any]:
    return {"sub": "somebody", "role": "write", "exp": int(time.time()) + 24 * 3600, **changed}


def signed(key: str = KEY.get_secret_value(), algorithm: str = "HS256", **changed: Any) -> str:
    return jwt.encode({k: v for k, v in claims(**changed).items() if v is not None}, key, algorithm)


def unsigned() -> str:
    parts = ({"alg": "none", "typ": "JWT"}, claims())
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, ""])


def post(token: str | None, method: str = "POST", path: str = "/events/validate") -> Any:
    headers = {} if token is None else {"Authorization": token}
    app = create_app(Settings(jwt_secret_key=KEY))
    return ask(app, method, path, json=EVENT, headers=headers)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "a bearer token is needed; `streamflow token` makes one"),
        ("Basic c29tZTpib2R5", "a bearer token is needed; `streamflow token` makes one"),
        ("Bearer", "a bearer token is needed; `streamflow token` makes one"),
        ("Bearer nonsense", "the token is not valid"),
        (f"Bearer {signed(exp=int(time.time()) - 3600)}", "the token has expired"),
        (f"Bearer {signed(key='another-key-that-is-long-enough-too')}", "the token is not valid"),
        (f"Bearer {signed(algorithm='HS512', key=KEY.get_secret_value() * 2)}", "the token is not valid"),
        (f"Bearer {unsigned()}", "the token is not valid"),
        (f"Bearer {signed(exp=None)}", "the token is not valid"),
        (f"Bearer {signed(sub=None)}", "the token is not valid"),
        (f"Bearer {signed(role=None)}", "the token names no role"),
        (f"Bearer {signed(role='admin')}", "the token names no role"),
        (f"Bearer {signed(role=['write'])}", "the token names no role"),
    ],
)
def test_without_a_valid_token_nothing_is_answered(header: str | None, message: str) -> None:
    answer = post(header)
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == message
    assert answer.json()["error"]["code"] == "unauthorized"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_role_that_reads_does_not_write() -> None:
    token = f"Bearer {mint(KEY, 'somebody', 'read', 24 * 3600)}"
    assert post(token).status_code == 200
    answer = post(token, path="/events")
    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == "the token's role is read, and this needs write"


def test_a_role_that_writes_reads_too() -> None:
    assert post(f"bearer {mint(KEY, 'somebody', 'write', 24 * 3600)}").status_code == 200


OPEN = {"/token"}
"""In development it gives what anybody could make; elsewhere nothing."""


@pytest.mark.parametrize("service", ["ingestion", "analytics", "alerting", "dashboard", "storage"])
def test_every_route_needs_a_token_but_those_of_operation(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATABASE_URL", "RABBITMQ_URL", "REDIS_URL"):
        monkeypatch.setenv(name, "")
    app = __import__(f"streamflow.{service}.app", fromlist=["create_app"]).create_app()
    routes = [
        (method.upper(), path)
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
        if "operation" not in operation.get("tags", ()) and path not in OPEN
    ]
    assert routes
    for method, path in routes:
        filled = re.sub(r"{\w+}", str(uuid4()), path)
        assert ask(app, method, filled).status_code == 401, (method, path)


class TestTheKey:
    @pytest.mark.parametrize("environment", ["staging", "production"])
    def test_the_default_is_refused_outside_of_development(
        self, environment: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ENVIRONMENT", environment)
        with pytest.raises(SettingsError) as refusal:
            read(Settings)
        assert str(refusal.value) == (
            f"JWT_SECRET_KEY: a key of your own is needed where ENVIRONMENT is {environment}"
        )

    def test_a_short_one_is_refused_and_never_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("JWT_SECRET_KEY", "short-secret")
        with pytest.raises(SettingsError) as refusal:
            read(Settings)
        assert str(refusal.value) == "JWT_SECRET_KEY: at least 32 bytes are needed"

    def test_it_shows_in_no_repr(self) -> None:
        assert DEVELOPMENT_KEY not in repr(Settings())


class TestTheProgram:
    def test_it_mints_what_a_service_takes(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("JWT_SECRET_KEY", KEY.get_secret_value())
        assert main(["token", "--role", "read", "--subject", "me", "--hours", "1"]) == 0
        token = capsys.readouterr().out.strip()
        assert post(f"Bearer {token}").status_code == 200
        assert jwt.decode(token, KEY.get_secret_value(), algorithms=["HS256"])["sub"] == "me"

    @pytest.mark.parametrize("hours", ["0", "-1", "nan", "x", "1e9"])
    def test_a_senseless_lifetime_is_refused(self, hours: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as end:
            main(["token", "--hours", hours])
        assert end.value.code == 2
        assert "--hours" in capsys.readouterr().err
