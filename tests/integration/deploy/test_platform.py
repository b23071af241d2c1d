"""The platform itself, from its sources to an event that the dashboard counts."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from ..publish.conftest import pushed
from ..publish.registries import Process, free_ports
from ..shop import PROJECT, Shop, until
from .conftest import Deployed

STREAMFLOW = Path(sys.executable).parent / "streamflow"
SERVICES = ("ingestion", "analytics", "alerting", "dashboard", "storage")
PUBLISHED = ("ingestion", "dashboard")
SERVERS = ("postgres", "rabbitmq", "redis")
SECRETS = ("JWT_SECRET_KEY", "POSTGRES_PASSWORD", "RABBITMQ_PASSWORD")


@pytest.fixture
def platform(default_store: Any, token: str, tmp_path: Path) -> Iterator[Deployed]:
    """The platform under a name and on ports of its own, so that one that somebody runs here isn't touched."""
    bases = subprocess.run(
        [PROJECT / "scripts/bases", "--infrastructure", "--config", PROJECT / "streamflow.yaml"],
        env=default_store.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert bases.returncode == 0, bases.stderr
    folder, ports = tmp_path / "platform", {}
    for part in ("docker", "services", "templates"):
        shutil.copytree(PROJECT / part, folder / part)
    config = yaml.safe_load((PROJECT / "streamflow.yaml").read_text())
    found = free_ports(len(config["services"]))
    for port, (name, service) in zip(found, config["services"].items(), strict=True):
        service["publish"] = ports[name] = port
    named = config | {"project": f"sfit-{token}"}
    (folder / "streamflow.yaml").write_text(yaml.safe_dump(named, sort_keys=False))
    made = Deployed(Shop(folder, f"sfit-{token}", default_store), ports)
    try:
        yield made
    finally:
        made.clean()
        made.shop.clean()


def test_an_event_that_was_sent_to_a_release_is_counted_and_kept(
    platform: Deployed, registry: Process
) -> None:
    given = {name: secrets.token_hex(24) for name in SECRETS}
    platform.shop.write(".env.staging", "".join(f"{name}={value}\n" for name, value in given.items()))
    unset: dict[str, str | None] = dict.fromkeys(SECRETS)
    platform.shop.report("v1.0.0")
    images = {service: platform.shop.inspected(service)["Id"] for service in SERVICES}
    digests = {image["service"]: image["digest"] for image in pushed(platform.shop, registry.host)["images"]}
    platform.forget()

    platform.compose("staging", "up", "--detach", "--wait", **unset)

    containers = [
        (each["Config"]["Labels"]["com.docker.compose.service"], each)
        for each in platform.containers("staging")
    ]
    assert sorted(service for service, _ in containers) == sorted([*SERVICES, "analytics", *SERVERS])
    assert {each["State"]["Health"]["Status"] for _, each in containers} == {"healthy"}
    released = [(service, each) for service, each in containers if service in SERVICES]
    assert all(each["Image"] == images[service] for service, each in released)
    assert all(each["Config"]["Image"].endswith(f"@{digests[service]}") for service, each in released)
    assert {service for service, each in containers if each["HostConfig"]["PortBindings"]} == set(PUBLISHED)

    ingestion, dashboard = (f"http://127.0.0.1:{platform.ports[service]}" for service in PUBLISHED)
    assert [httpx.get(f"{each}/ready").status_code for each in (ingestion, dashboard)] == [200, 200]
    event = {"id": str(uuid.uuid4()), "type": "web.click", "source": platform.shop.name}
    # What is shown is of running windows, and the end of an hour is one of all of them.
    until(lambda: time.time() % 3600 < 3590, "a new hour")
    for key, status in ((secrets.token_hex(24), 401), (given["JWT_SECRET_KEY"], 202)):
        sent = httpx.post(f"{ingestion}/events", json=event, headers=bearer(key))
        assert sent.status_code == status, sent.text
    with httpx.Client(base_url=dashboard, headers=bearer(given["JWT_SECRET_KEY"])) as me:
        until(lambda: me.get("/events").json()["events"], "the event is kept", 20)
        (kept,) = me.get("/events").json()["events"]
        assert (kept["id"], kept["source"]) == (event["id"], event["source"])
        until(lambda: me.get("/metrics/realtime").json()["windows"]["1h"]["count"], "it is counted", 20)
        assert me.get("/metrics/realtime").json()["windows"]["1h"]["by_source"] == {event["source"]: 1}

    # A database keeps the password of its first day, and who comes with another one isn't let in.
    platform.compose("staging", "down", **unset)
    other = dict(unset, POSTGRES_PASSWORD=secrets.token_hex(24))
    platform.compose("staging", "up", "--detach", **other)
    until(lambda: lacks_the_database(platform), "two services lack the database, and the rest is ready", 90)

    platform.compose("staging", "down", "--volumes", **unset)
    assert platform.left() == []


def lacks_the_database(platform: Deployed) -> bool:
    """Whether all are healthy but those that need the database, of which one says why."""
    said = {
        each["Config"]["Labels"]["com.docker.compose.service"]: health["Log"][-1]["Output"]
        if health["Log"]
        else ""
        for each in platform.containers("staging")
        if (health := each["State"]["Health"])["Status"] != "healthy"
    }
    return set(said) == {"alerting", "storage"} and "password authentication failed" in said["storage"]


def bearer(key: str) -> dict[str, str]:
    """The header of whoever has the key."""
    done = subprocess.run(
        [STREAMFLOW, "token"], env={"JWT_SECRET_KEY": key, "ENVIRONMENT": "staging"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {"Authorization": f"Bearer {done.stdout.strip()}"}
