"""Two runs on the same tags: sending takes a while, and what was looked at before may not be so any more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from ..shop import Running, Shop, until
from .conftest import SERVICES, Clients, pushed
from .registries import Fault, Gate, Process, comes_late

LAYERS = "(PATCH|PUT) .*/blobs/uploads/"


@contextmanager
def slow_push(shop: Shop, gate: Gate, *arguments: str) -> Iterator[Running]:
    """A push whose layers are on their way."""
    fault = Fault(LAYERS, comes_late(4), times=99)
    gate.faults.append(fault)
    run = shop.start("push", f"{gate.host}/team", *arguments, "--json")
    until(lambda: bool(fault.befallen), "a layer is on its way")
    yield run
    fault.times = 0


def test_a_version_that_another_put_meanwhile_with_other_content(
    built_here: Shop, gate: Gate, registry: Process, clients: Clients
) -> None:
    with slow_push(built_here, gate) as run:
        built_here.write("beta/said.txt", "something else\n")
        built_here.report("v1.0.0")
        faster = pushed(built_here, registry.host)

    done = run.ended()

    assert done.returncode == 6
    outcomes = {image["service"]: image for image in json.loads(done.stdout)["images"]}
    digests = {image["service"]: image["digest"] for image in faster["images"]}
    assert "is there with other content" in json.dumps(outcomes["beta"])
    assert digests["beta"] in json.dumps(outcomes["beta"])
    for tag in ("v1.0.0", "latest"):
        assert clients.digests(registry.host, built_here, tag)[tag] == digests


def test_a_version_that_another_spells_otherwise(
    built_here: Shop, gate: Gate, registry: Process, clients: Clients
) -> None:
    with slow_push(built_here, gate) as run:
        built_here.write("beta/said.txt", "something else\n")
        built_here.report("1.0.0")
        assert built_here.run("push", f"{registry.host}/team", "1.0.0").returncode == 0
        before = clients.digests(registry.host, built_here, "1.0.0")

    done = run.ended()

    assert done.returncode == 6
    assert "is there with other content" in done.stdout
    assert clients.digests(registry.host, built_here, "1.0.0") == before


def test_the_same_content_that_another_put_meanwhile(
    built_here: Shop, gate: Gate, registry: Process, clients: Clients
) -> None:
    with slow_push(built_here, gate) as run:
        faster = pushed(built_here, registry.host)

    done = run.ended()

    assert done.returncode == 0, done.stderr
    for report in (faster, json.loads(done.stdout)):
        digests = {image["service"]: image["digest"] for image in report["images"]}
        assert clients.digests(registry.host, built_here, "v1.0.0", "latest") == {
            "v1.0.0": digests,
            "latest": digests,
        }


def test_a_newer_version_that_another_put_meanwhile(
    built_here: Shop, gate: Gate, registry: Process, clients: Clients
) -> None:
    pushed(built_here, registry.host)
    built_here.write("beta/said.txt", "something else\n")
    built_here.report("v1.0.1")
    with slow_push(built_here, gate, "v1.0.1") as run:
        assert built_here.run("promote", "v1.0.0", "v1.2.0", f"{registry.host}/team").returncode == 0

    done = run.ended()

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert {each["tag"] for each in report["refused"]} == {"1", "latest"}
    on = clients.digests(registry.host, built_here, "v1.0.1", "1.0", "v1.2.0", "1", "latest")
    assert on["1.0"] == on["v1.0.1"]
    assert on["1"] == on["latest"] == on["v1.2.0"]
    assert set(on["latest"]) == set(SERVICES)
