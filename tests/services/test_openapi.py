"""What the services' OpenAPI says holds: every operation is called with what fits its schema and with what doesn't."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from .asgi import AUTHORIZED
from .conftest import DEADLINE_SECONDS, environment
from .servers import free_port

PREFIXES = {
    "ingestion": "/api/ingest",
    "analytics": "/api/analytics",
    "alerting": "/api/alerts",
    "storage": "/api/storage",
    "dashboard": "",
}
# What isn't of the schema may be taken all the same, as Pydantic takes `false` for 0 and seconds for a moment; and what
# is of it may be refused, for no schema says what a cursor is, or that U+0000 can't be stored.
UNCHECKED = ("negative_data_rejection", "positive_data_acceptance")
UNCHECKED_OF = {
    # An event is stored a moment after it was accepted, and nobody is promised to find it before.
    "ingestion": ("ensure_resource_availability",),
}
SECONDS = 300


@pytest.fixture(scope="module")
def platform() -> Iterator[httpx.Client]:
    """All services, running in one process, with an event and an alert."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "streamflow"],
        env=environment(PORT=str(port)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=AUTHORIZED, timeout=30) as client:
            until(lambda: client.get("/ready").status_code == 200)
            yield client
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=30)
    assert errors == f"streamflow: http://127.0.0.1:{port}\n"


def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        with suppress(httpx.TransportError):
            if value := found():
                return value
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def existing(platform: httpx.Client) -> dict[str, str]:
    """Ids of what there is, by the parameters that they are given as."""
    rule = {"name": "any", "condition": "count > 0 over 1h", "suppress_seconds": 0}
    platform.post("/api/alerts/rules", json=rule).raise_for_status()
    (event,) = platform.post("/api/ingest/events", json={"type": "custom", "source": "shop"}).json()["ids"]
    until(lambda: platform.get(f"/api/storage/events/{event}").status_code == 200)
    (alert,) = until(lambda: platform.get("/api/alerts/alerts").json()["alerts"])
    return {"event_id": event, "alert_id": alert["id"]}


@pytest.mark.parametrize("service", PREFIXES)
def test_a_service_does_what_its_document_says(
    service: str, platform: httpx.Client, existing: dict[str, str], tmp_path: Path
) -> None:
    checks = Path(__file__).with_name("openapi_checks.py")
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", "--no-color"),
        str(platform.base_url.join(f"{PREFIXES[service]}/openapi.json")),
        f"--header=Authorization: {AUTHORIZED['Authorization']}",
        # The same calls in every run, and none that an earlier one has found.
        *("--generation-deterministic", "--max-examples=20"),
        f"--exclude-checks={','.join((*UNCHECKED, *UNCHECKED_OF.get(service, ())))}",
    ]
    settings = {"EXISTING_IDS": json.dumps(existing), "SCHEMATHESIS_HOOKS": str(checks)}
    done = subprocess.run(
        command,
        env=environment(**settings),
        cwd=tmp_path,  # where it finds no configuration, and leaves its reports
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"Selected: (\d+)/\1\n  Tested: \1\n", done.stdout), done.stdout


def documents(platform: httpx.Client) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Each service's operations: its name, the method, the path, and what the document says of it."""
    for service, prefix in PREFIXES.items():
        document = platform.get(f"{prefix}/openapi.json").json()
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                yield service, method, path, operation


def test_every_error_is_declared_with_the_one_shape(platform: httpx.Client) -> None:
    for service, method, path, operation in documents(platform):
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                shape = "Readiness" if (path, status) == ("/ready", "503") else "ErrorAnswer"
                declared = {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape}"}}}
                assert answer["content"] == declared, (service, method, path, status)


def test_a_token_is_asked_for_where_the_document_says_so(platform: httpx.Client) -> None:
    for service, method, path, operation in documents(platform):
        secured = "security" in operation
        filled = re.sub(r"{\w+}", str(uuid4()), path)
        answer = httpx.request(method, platform.base_url.join(f"{PREFIXES[service]}{filled}"))
        assert (answer.status_code == 401) is secured, (service, method, path)
        assert ("401" in operation["responses"]) is secured, (service, method, path)
