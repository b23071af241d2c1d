"""What every service answers beside its own routes: errors, correlation ids, metrics."""

import re
from collections.abc import Callable

import pytest
from fastapi import FastAPI

from streamflow.alerting.app import Settings as AlertingSettings
from streamflow.alerting.app import create_app as create_alerting
from streamflow.analytics.app import Settings as AnalyticsSettings
from streamflow.analytics.app import create_app as create_analytics
from streamflow.dashboard.app import Settings as DashboardSettings
from streamflow.dashboard.app import create_app as create_dashboard
from streamflow.ingestion.app import Settings as IngestionSettings
from streamflow.ingestion.app import create_app as create_ingestion
from streamflow.shared.observation import process_registry
from streamflow.shared.service import service_app
from streamflow.storage.app import Settings as StorageSettings
from streamflow.storage.app import create_app as create_storage

from .asgi import AUTHORIZED, ask

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
APPS: dict[str, Callable[[], FastAPI]] = {
    "ingestion": lambda: create_ingestion(IngestionSettings()),
    "analytics": lambda: create_analytics(AnalyticsSettings()),
    "alerting": lambda: create_alerting(AlertingSettings()),
    "dashboard": lambda: create_dashboard(DashboardSettings()),
    "storage": lambda: create_storage(StorageSettings()),
}


@pytest.mark.parametrize("service", APPS)
def test_an_app_is_made_from_the_environment_too(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")  # empty counts as unset
    module = __import__(f"streamflow.{service}.app", fromlist=["create_app"])
    assert ask(module.create_app(), "GET", "/ready").json() == {"status": "ready", "checks": {}}


@pytest.mark.parametrize("service", APPS)
def test_openapi_names_our_error_shape_and_no_other(service: str) -> None:
    document = ask(APPS[service](), "GET", "/openapi.json").text
    assert "HTTPValidationError" not in document
    assert f'"title":"StreamFlow {service}"' in document


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "message"),
    [
        ("GET", "/nowhere", 404, "not_found", "Not Found"),
        ("DELETE", "/health", 405, "method_not_allowed", "Method Not Allowed"),
    ],
)
def test_errors_have_one_shape(method: str, path: str, status: int, code: str, message: str) -> None:
    answer = ask(APPS["storage"](), method, path, headers={"X-Request-ID": "one"})
    assert answer.status_code == status
    assert answer.json() == {
        "error": {"code": code, "message": message, "correlation_id": "one", "details": []}
    }
    assert answer.headers["X-Correlation-ID"] == "one"


def test_an_unexpected_error_tells_the_caller_nothing_but_its_id() -> None:
    app = service_app("storage", "Breaks.", registry=process_registry())

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("geheim")

    answer = ask(app, "GET", "/broken", headers={"X-Correlation-ID": "two"})
    assert answer.status_code == 500
    assert answer.json() == {
        "error": {
            "code": "internal_server_error",
            "message": "an unexpected error; the logs have it",
            "correlation_id": "two",
            "details": [],
        }
    }
    assert answer.headers["X-Correlation-ID"] == "two"
    assert (
        'http_requests_total{method="GET",route="/broken",status="500"} 1.0'
        in ask(app, "GET", "/metrics").text
    )


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({"X-Correlation-ID": "a", "X-Request-ID": "b"}, "a"),
        ({"X-Request-ID": "b"}, "b"),
        ({"X-Correlation-ID": "no spaces", "X-Request-ID": "b"}, "b"),
        ({"X-Correlation-ID": "x" * 129}, None),
        ({"X-Correlation-ID": ""}, None),
        ({}, None),
    ],
)
def test_a_correlation_id_is_taken_or_made(headers: dict[str, str], taken: str | None) -> None:
    given = ask(APPS["storage"](), "GET", "/health", headers=headers).headers["X-Correlation-ID"]
    if taken is None:
        assert UUID.fullmatch(given)
    else:
        assert given == taken


def test_clients_cannot_make_up_metrics() -> None:
    app = APPS["storage"]()
    ask(app, "GET", "/made/up")
    ask(app, "BREW", "/health")
    samples = [
        line for line in ask(app, "GET", "/metrics").text.splitlines() if "http_requests_total{" in line
    ]
    assert samples == [
        'http_requests_total{method="GET",route="unmatched",status="404"} 1.0',
        'http_requests_total{method="OTHER",route="/health",status="405"} 1.0',
    ]


def test_two_apps_in_one_process_count_apart() -> None:
    one, other = APPS["storage"](), APPS["storage"]()
    ask(one, "GET", "/retention", headers=AUTHORIZED)
    assert 'route="/retention"' in ask(one, "GET", "/metrics").text
    assert 'route="/retention"' not in ask(other, "GET", "/metrics").text


def test_a_method_that_a_path_lacks_is_told_those_it_has() -> None:
    answer = ask(APPS["alerting"](), "DELETE", "/rules")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("path", ["/events/batch", "/events/validate"])
def test_what_is_posted_to_is_no_event_to_ask_for(path: str) -> None:
    answer = ask(APPS["ingestion"](), "GET", path, headers=AUTHORIZED)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "body", [b"\xff", b"[" * 60_000, b"9" * 5000], ids=["no text", "deep", "long number"]
)
@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("ingestion", "/events"),
        ("ingestion", "/events/validate"),
        ("alerting", "/rules"),
        ("dashboard", "/dashboards"),
    ],
)
def test_a_body_that_cannot_be_read_is_not_valid(service: str, path: str, body: bytes) -> None:
    headers = {**AUTHORIZED, "Content-Type": "application/json"}
    answer = ask(APPS[service](), "POST", path, content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == "the request is not valid"
    assert answer.json()["error"]["details"] == [{"path": "body", "message": "the body can't be read"}]
