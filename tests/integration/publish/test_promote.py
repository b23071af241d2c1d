"""A version that is in a registry gets its final name, there or in another one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..shop import Shop
from .conftest import SERVICES, Clients, pushed, with_version
from .registries import Gate, Process

OCI = "org.opencontainers.image"


def promoted(shop: Shop, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = shop.run("promote", *arguments, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def layers(clients: Clients, reference: str) -> list[str]:
    return [layer["digest"] for layer in json.loads(clients.crane("manifest", reference))["layers"]]


def test_only_the_version_changes_and_no_layer_moves(
    shop: Shop, registry: Process, gate: Gate, clients: Clients
) -> None:
    with_version(shop, "v1.1.0-rc.2")
    pushed(shop, registry.host)

    report = promoted(shop, "v1.1.0-rc.2", "v1.1.0", f"{gate.host}/team")

    for service in SERVICES:
        name = f"{registry.host}/team/{shop.name}-{service}"
        assert layers(clients, f"{name}:v1.1.0") == layers(clients, f"{name}:v1.1.0-rc.2")
        before, after = (
            json.loads(clients.crane("config", f"{name}:{tag}")) for tag in ("1.1.0-rc.2", "1.1.0")
        )
        assert after["config"]["Labels"].pop(f"{OCI}.version") == "1.1.0"
        assert before["config"]["Labels"].pop(f"{OCI}.version") == "1.1.0-rc.2"
        assert after == before
    on = clients.digests(registry.host, shop, "v1.1.0", "1.1.0", "1.1", "1", "latest", "1.1.0-rc.2")
    assert on["v1.1.0"] == on["1.1.0"] == on["1.1"] == on["1"] == on["latest"] != on["1.1.0-rc.2"]
    assert [image["digest"] for image in report["images"]] == [on["latest"][service] for service in SERVICES]
    assert not [head for head in gate.heads if head.startswith("PATCH")]
    sent = [head for head in gate.heads if head.startswith("PUT") and "/blobs/" in head]
    assert len(sent) == len(SERVICES)  # the configurations


def test_again_it_is_there_already(built_here: Shop, registry: Process) -> None:
    pushed(built_here, registry.host)
    first = promoted(built_here, "v1.0.0", "v1.0.1", f"{registry.host}/team")
    second = promoted(built_here, "v1.0.0", "v1.0.1", f"{registry.host}/team")

    assert [image["sent"] for image in first["images"]] == [True] * 3
    assert [(image["sent"], image["set"]) for image in second["images"]] == [(False, [])] * 3


def test_where_it_is_the_release_file_knows(built_here: Shop, registry: Process, clients: Clients) -> None:
    pushed(built_here, registry.host)

    promoted(built_here, "v1.0.0", "v1.0.1")

    told = json.loads((built_here.folder / ".streamflow/release.json").read_text())
    assert told["version"] == "1.0.1"
    assert "v1.0.1" in clients.tags(registry.host, built_here, "alpha")


def test_to_another_registry(built_here: Shop, registry_of: Callable[..., Process], clients: Clients) -> None:
    here, there = registry_of(), registry_of()
    pushed(built_here, here.host)

    report = promoted(built_here, "v1.0.0", "v1.0.0", f"{here.host}/team", "--to", f"{there.host}/team")

    assert all(image["sent"] for image in report["images"])
    tags = ("v1.0.0", "1.0.0", "1.0", "1", "latest")
    assert clients.digests(there.host, built_here, *tags) == clients.digests(here.host, built_here, *tags)
    shared = layers(clients, f"{there.host}/team/{built_here.name}-alpha:latest")[0].partition(":")[2]
    assert len(list(there.data.rglob(f"{shared}/data"))) == 1


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            lambda file: os.truncate(file, 1000),
            "The blob {place}@{base} is damaged: it has 1000 bytes, and should have ",
        ),
        (
            lambda file: file.write_bytes(bytes(file.stat().st_size)),
            "The blob {place}@{base} is damaged: its content is of another digest.",
        ),
        (Path.unlink, "{place} lacks {base}, which an image there consists of."),
    ],
    ids=["cut short", "another", "lost"],
)
def test_a_layer_that_is_damaged_where_it_is(
    damage: Callable[[Path], None],
    said: str,
    built_here: Shop,
    registry_of: Callable[..., Process],
    clients: Clients,
) -> None:
    here, there = registry_of(), registry_of()
    pushed(built_here, here.host)
    base = layers(clients, f"{here.host}/team/{built_here.name}-alpha:latest")[0]
    (stored,) = here.data.rglob(f"{base.partition(':')[2]}/data")
    damage(stored)

    done = built_here.run(
        "promote", "v1.0.0", "v1.0.0", f"{here.host}/team", "--to", f"{there.host}/team", "--jobs", "1"
    )

    assert done.returncode == 6
    place = f"{here.host}/team/{built_here.name}-alpha"
    assert said.format(place=place, base=base) in done.stderr
    assert "attempt" not in done.stderr
    assert not list(there.data.rglob("_manifests"))


def test_a_version_that_is_not_there(built_here: Shop, registry: Process) -> None:
    pushed(built_here, registry.host)

    done = built_here.run("promote", "v3.0.0", "v3.0.1", f"{registry.host}/team")

    assert done.returncode == 6
    assert f"There is no {registry.host}/team/{built_here.name}-alpha:v3.0.0." in done.stderr
    assert f"Push it first: streamflow-build push {registry.host}/team v3.0.0" in done.stderr


def test_a_copy_comes_from_the_other_registry(built_here: Shop, registry_of: Callable[..., Process]) -> None:
    here, there, third = (registry_of() for _ in range(3))
    pushed(built_here, here.host)
    promoted(built_here, "v1.0.0", "v1.0.0", "--to", f"{there.host}/team")

    again = promoted(built_here, "v1.0.0", "v1.0.0", "--to", f"{there.host}/team")
    done = built_here.run("promote", "v1.0.0", "v1.0.0", "--to", f"{third.host}/team")

    assert not any(image["sent"] for image in again["images"])
    assert done.returncode == 2
    assert done.stderr == (
        f"streamflow-build: .streamflow/release.json has 1.0.0 in {here.host}/team, {there.host}/team.\n"
        f"Name the registry: streamflow-build promote v1.0.0 v1.0.0 {here.host}/team --to {third.host}/team\n"
    )


def test_the_release_file_is_about_another_version(built_here: Shop, registry: Process) -> None:
    pushed(built_here, registry.host)
    promoted(built_here, "v1.0.0", "v1.0.1")

    done = built_here.run("promote", "v1.0.0", "v1.0.2")

    assert done.returncode == 0, done.stderr

    done = built_here.run("promote", "v0.9.0", "v1.0.3")

    assert done.returncode == 2
    assert ".streamflow/release.json has 0.9.0 in no registry; it is about 1.0.2." in done.stderr


def test_a_copy_to_where_it_is(built_here: Shop, registry: Process) -> None:
    pushed(built_here, registry.host)

    done = built_here.run("promote", "v1.0.0", "v1.0.0", "--to", f"{registry.host}/team")

    assert done.returncode == 2
    assert (
        f".streamflow/release.json has 1.0.0 in {registry.host}/team alone, which is where it goes"
        in done.stderr
    )


def test_a_version_that_nobody_noted(built_here: Shop) -> None:
    done = built_here.run("promote", "v1.0.0", "v1.0.1")

    assert done.returncode == 2
    assert done.stderr == (
        "streamflow-build: .streamflow/release.json has 1.0.0 in no registry.\n"
        "Name the registry: streamflow-build promote v1.0.0 v1.0.1 ghcr.io/org\n"
    )
