"""Each service as its image runs it: `python -m streamflow.<service>`, looked at from outside."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from .asgi import AUTHORIZED
from .conftest import DEADLINE_SECONDS, SERVICES, Running, environment, free_port

VERSION = "1.0.0"
Start = Callable[..., Running]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_alone_answers_and_stops(service: str, start: Start) -> None:
    running = start(service, ENVIRONMENT="staging", LOG_LEVEL="DEBUG", JWT_SECRET_KEY="k" * 32)

    health = httpx.get(f"{running.url}/health", headers={"X-Correlation-ID": "from-the-caller"})
    ready = httpx.get(f"{running.url}/ready")
    metrics = httpx.get(f"{running.url}/metrics")
    exit_code = running.stop()

    assert health.json() == {"status": "healthy", "service": service, "version": VERSION}
    assert health.headers["X-Correlation-ID"] == "from-the-caller"
    assert "server" not in health.headers
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "checks": {}})
    assert metrics.headers["Content-Type"].startswith("text/plain; version=")
    assert 'http_requests_total{method="GET",route="/health",status="200"} 1.0' in metrics.text
    assert "process_resident_memory_bytes" in metrics.text
    assert exit_code == 0
    assert running.errors() == ""
    records = running.records()
    warned = "RABBITMQ_URL is not set: no other service gets what this one publishes"
    assert [r["message"] for r in records if r["level"] == "warning"] == [warned]
    assert {(r["service"], r["version"], r["environment"]) for r in records} == {
        (service, VERSION, "staging")
    }
    (access,) = [record for record in records if record.get("path") == "/health"]
    assert access.pop("duration_ms") > 0
    assert str(access.pop("time")).endswith("+00:00")
    assert access == {
        "level": "debug",
        "logger": "streamflow.access",
        "message": "GET /health 200",
        "service": service,
        "version": VERSION,
        "environment": "staging",
        "correlation_id": "from-the-caller",
        "method": "GET",
        "path": "/health",
        "route": "/health",
        "status": 200,
    }
    assert records[-1]["message"] == f"Finished server process [{running.process.pid}]"


def test_probes_are_not_logged_but_other_requests_are(start: Start) -> None:
    running = start("storage")
    for path in ("/health", "/ready", "/metrics", "/retention", "/nowhere"):
        httpx.get(running.url + path)
    running.stop()
    assert [r["path"] for r in running.records() if "path" in r] == ["/retention", "/nowhere"]


def test_a_request_in_flight_finishes_after_sigterm(start: Start, silent: socket.socket) -> None:
    running = start("ingestion", REDIS_URL=f"redis://127.0.0.1:{silent.getsockname()[1]}")
    with httpx.Client() as idle, ThreadPoolExecutor(1) as pool:
        idle.get(f"{running.url}/health")  # its connection stays open and must not hold the end up
        pending = pool.submit(httpx.get, f"{running.url}/ready", timeout=DEADLINE_SECONDS)
        connection, _ = silent.accept()  # the request runs: it has asked redis
        exit_code = running.stop()
        answer = pending.result()
        connection.close()

    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "checks": {"redis": {"status": "unavailable", "reason": "no answer within 2 s"}},
    }
    assert exit_code == 0
    assert running.errors() == ""


def test_a_request_past_the_shutdown_timeout_is_cut(start: Start, silent: socket.socket) -> None:
    running = start(
        "ingestion", REDIS_URL=f"redis://127.0.0.1:{silent.getsockname()[1]}", SHUTDOWN_TIMEOUT="1"
    )
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(httpx.get, f"{running.url}/ready", timeout=DEADLINE_SECONDS)
        connection, _ = silent.accept()
        exit_code = running.stop()
        connection.close()
        pending.exception()

    assert exit_code == 0
    assert "Cancel 1 running task(s), timeout graceful shutdown exceeded" in {
        record["message"] for record in running.records()
    }


def test_interrupting_is_a_clean_end_too(start: Start) -> None:
    running = start("analytics")
    assert running.stop(signal.SIGINT) == 0
    assert running.errors() == ""


def test_dependencies_that_are_away_make_it_not_ready_and_show_no_password(start: Start) -> None:
    port = free_port()
    running = start(
        "alerting",
        DATABASE_URL=f"postgresql://user:geheim@127.0.0.1:{port}/streamflow",
        RABBITMQ_URL=f"amqp://user:geheim@127.0.0.1:{port}/",
        ANALYTICS_URL=f"http://user:geheim@127.0.0.1:{port}",
        LOG_LEVEL="debug",
    )
    answer = httpx.get(f"{running.url}/ready", timeout=DEADLINE_SECONDS)
    health = httpx.get(f"{running.url}/health")
    exit_code = running.stop()

    assert answer.status_code == 503
    checks = answer.json()["checks"]
    assert {name: check["status"] for name, check in checks.items()} == dict.fromkeys(
        ("postgres", "rabbitmq", "analytics"), "unavailable"
    )
    assert health.status_code == 200
    assert exit_code == 0
    assert "geheim" not in answer.text + "".join(running.lines) + running.errors()


def test_a_database_that_never_answers_is_told_of_by_the_errors_name(
    start: Start, silent: socket.socket
) -> None:
    running = start("alerting", DATABASE_URL=f"postgresql://streamflow@127.0.0.1:{silent.getsockname()[1]}/x")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (told := [line for line in running.lines if "the database is away: " in line]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert "the database is away: TimeoutError" in told[0]


@pytest.mark.parametrize(
    ("service", "variable", "url", "check"),
    [
        ("ingestion", "REDIS_URL", "redis://127.0.0.1:{port}", "redis"),
        ("analytics", "RABBITMQ_URL", "amqp://127.0.0.1:{port}", "rabbitmq"),
        ("storage", "DATABASE_URL", "postgresql://127.0.0.1:{port}/streamflow", "postgres"),
        ("dashboard", "STORAGE_URL", "http://127.0.0.1:{port}", "storage"),
    ],
)
def test_a_dependency_that_is_away_is_named(
    service: str, variable: str, url: str, check: str, start: Start
) -> None:
    port = free_port()
    running = start(service, **{variable: url.format(port=port)})
    answer = httpx.get(f"{running.url}/ready", timeout=DEADLINE_SECONDS)

    assert answer.status_code == 503
    body = answer.json()
    assert (body["status"], list(body["checks"])) == ("not ready", [check])
    assert body["checks"][check]["status"] == "unavailable"
    assert body["checks"][check]["reason"]


def test_the_dashboard_asks_the_services_it_shows(start: Start) -> None:
    storage, alerting = start("storage"), start("alerting")
    dashboard = start("dashboard", STORAGE_URL=f"{storage.url}/", ALERTING_URL=alerting.url)

    ready = httpx.get(f"{dashboard.url}/ready", headers={"X-Request-ID": "asked-by-me"})
    both = httpx.get(f"{dashboard.url}/services", headers=AUTHORIZED)
    alerting.stop()
    without_alerting = httpx.get(f"{dashboard.url}/services", headers=AUTHORIZED).json()

    ok = {"status": "ok", "reason": None}
    assert (ready.status_code, ready.json()["checks"]) == (200, {"storage": ok, "alerting": ok})
    healthy = {"status": "healthy", "version": VERSION, "reason": None}
    assert both.json() == [{"service": "storage"} | healthy, {"service": "alerting"} | healthy]
    assert without_alerting[0] == {"service": "storage"} | healthy
    assert without_alerting[1]["status"] == "unavailable"
    assert without_alerting[1]["reason"]


def test_the_correlation_id_is_handed_on(start: Start) -> None:
    storage = start("storage", LOG_LEVEL="debug")
    dashboard = start("dashboard", STORAGE_URL=storage.url)
    httpx.get(f"{dashboard.url}/services", headers={**AUTHORIZED, "X-Correlation-ID": "through-both"})
    storage.stop()
    assert "through-both" in {record.get("correlation_id") for record in storage.records()}


@pytest.mark.parametrize(
    ("service", "settings", "complaint"),
    [
        (
            "ingestion",
            {"PORT": "99999"},
            "PORT '99999': input should be less than or equal to 65535",
        ),
        (
            "analytics",
            {"PORT": "eighty", "LOG_LEVEL": "loud"},
            (
                "PORT 'eighty': input should be a valid integer, unable to parse string as an integer; "
                "LOG_LEVEL 'loud': input should be 'debug', 'info', 'warning' or 'error'"
            ),
        ),
        (
            "alerting",
            {"DATABASE_URL": "mysql://user:geheim@db/streamflow"},
            "DATABASE_URL: a URL like postgresql://HOST:PORT or sqlite:///PATH is needed",
        ),
        (
            "storage",
            {"DATABASE_URL": "sqlite:////nowhere/at/all.db"},
            "DATABASE_URL: there is no folder /nowhere/at",
        ),
        (
            "alerting",
            {"RABBITMQ_URL": "amqp://user:geheim@broker:port/"},
            "RABBITMQ_URL: a URL like amqp://HOST:PORT is needed",
        ),
        (
            "dashboard",
            {"STORAGE_URL": "storage:8000"},
            "STORAGE_URL: a URL like http://HOST:PORT is needed",
        ),
        (
            "storage",
            {"DATABASE_URL": "sqlite:////tmp"},
            "DATABASE_URL: /tmp is a folder, and a file is needed",
        ),
        (
            "storage",
            {"DATABASE_URL": "postgresql://u:geheim@h/d?sslmode=bogus"},
            "DATABASE_URL: the value of sslmode makes no sense",
        ),
        (
            "ingestion",
            {"REDIS_URL": "redis://:geheim@h:6379/0?socket_timeout=abc"},
            "REDIS_URL: the value of socket_timeout makes no sense",
        ),
        (
            "dashboard",
            {"REDIS_URL": "redis://h/abc"},
            "REDIS_URL: a database of Redis is a number, as in redis://HOST:PORT/0",
        ),
        (
            "analytics",
            {"RABBITMQ_URL": "amqp://u:geheim@h/?heartbeat=abc"},
            "RABBITMQ_URL: the value of heartbeat makes no sense",
        ),
        (
            "ingestion",
            {"STORAGE_URL": "http://a b/"},
            "STORAGE_URL: a URL like http://HOST:PORT is needed",
        ),
        (
            "dashboard",
            {"ALERTING_URL": "http://h/?geheim"},
            "ALERTING_URL: a URL like http://HOST:PORT has no options",
        ),
        (
            "alerting",
            {"SMTP_FROM": "abc"},
            "SMTP_FROM 'abc': an address like streamflow@example.com is needed",
        ),
        (
            "storage",
            {"RETENTION_DAYS": "0"},
            "RETENTION_DAYS '0': input should be greater than or equal to 1",
        ),
        (
            "ingestion",
            {"ENVIRONMENT": "production"},
            "JWT_SECRET_KEY: a key of your own is needed where ENVIRONMENT is production",
        ),
        (
            "storage",
            {"ENVIRONMENT": "moon"},
            "ENVIRONMENT 'moon': input should be 'development', 'staging' or 'production'",
        ),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(
    service: str, settings: dict[str, str], complaint: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", f"streamflow.{service}"],
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"streamflow {service} cannot start: {complaint}\n"


@pytest.mark.parametrize(
    ("module", "name"),
    [("streamflow.storage", "streamflow storage cannot start"), ("streamflow", "streamflow")],
)
def test_a_port_in_use_stops_the_start_with_one_line(silent: socket.socket, module: str, name: str) -> None:
    port = silent.getsockname()[1]
    ended = subprocess.run(
        [sys.executable, "-m", module],
        env=environment(HOST="127.0.0.1", PORT=str(port)),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr == f"{name}: PORT {port} of 127.0.0.1: address already in use\n"
