"""Which layers move: those that the registry hasn't, each once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..shop import Shop
from .conftest import SERVICES, Clients, pushed, with_version
from .registries import Act, Fault, Gate, Process, answers, asks_instead, cuts


def blobs(clients: Clients, shop: Shop, host: str, tag: str) -> dict[str, list[str]]:
    """By service, the digests of the image's layers and at last of its configuration, as crane sees them."""
    found: dict[str, list[str]] = {}
    for service in SERVICES:
        manifest = json.loads(clients.crane("manifest", f"{host}/team/{shop.name}-{service}:{tag}"))
        found[service] = [each["digest"] for each in (*manifest["layers"], manifest["config"])]
    return found


def sent(gate: Gate) -> list[str]:
    """The digests of the blobs that were sent."""
    return sorted(
        head.split(" ")[1].partition("digest=")[2].replace("%3A", ":")
        for head in gate.heads
        if head.startswith("PUT ") and "/blobs/uploads/" in head
    )


def whole(clients: Clients, shop: Shop, host: str, tag: str) -> None:
    """All content of that version is there, as crane validates it."""
    for service in SERVICES:
        clients.crane("validate", "--remote", f"{host}/team/{shop.name}-{service}:{tag}")


@pytest.fixture
def little_room(tmp_path: Path) -> Iterator[Path]:
    """A folder with less room than the base's layer takes, packed."""
    folder = tmp_path / "little"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "room", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_layer_that_services_share_is_sent_once_and_mounted(
    built_here: Shop, gate: Gate, registry: Process, clients: Clients
) -> None:
    pushed(built_here, gate.host)

    there = blobs(clients, built_here, registry.host, "v1.0.0")
    base = {found[0] for found in there.values()}
    assert len(base) == 1
    assert sent(gate) == sorted({digest for found in there.values() for digest in found})
    mounted = [head for head in gate.heads if head.startswith("POST ") and "mount=" in head]
    shared = sum(len(found) for found in there.values()) - len(sent(gate))
    assert len(mounted) == shared >= len(SERVICES) - 1
    whole(clients, built_here, registry.host, "v1.0.0")


def stored(registry: Process, digest: str) -> Path:
    """The file that a registry keeps a blob in."""
    (found,) = registry.data.rglob(f"{digest.removeprefix('sha256:')}/data")
    return found


@pytest.mark.parametrize("which", [0, -1], ids=["a layer", "a configuration"])
def test_what_the_registry_lost_is_sent_again(
    which: int, built_here: Shop, gate: Gate, registry: Process, clients: Clients
) -> None:
    pushed(built_here, registry.host)
    before = clients.digests(registry.host, built_here, "v1.0.0")
    lost = blobs(clients, built_here, registry.host, "v1.0.0")["beta"][which]
    original = stored(registry, lost).read_bytes()
    stored(registry, lost).unlink()

    done = built_here.run("push", f"{gate.host}/team")

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"-beta lost {lost} of this version: it is sent again" in done.stderr
    assert sent(gate) == [lost]
    assert stored(registry, lost).read_bytes() == original
    assert clients.digests(registry.host, built_here, "v1.0.0") == before
    whole(clients, built_here, registry.host, "v1.0.0")


def test_a_promotion_makes_a_lost_configuration_anew_and_tells_of_a_lost_layer(
    built_here: Shop, registry: Process, clients: Clients
) -> None:
    words = ("promote", "v1.0.0", "v1.0.1", f"{registry.host}/team")
    pushed(built_here, registry.host)
    built_here.run(*words)
    layer, *_, configuration = blobs(clients, built_here, registry.host, "v1.0.1")["beta"]

    stored(registry, configuration).unlink()
    done = built_here.run(*words)
    assert done.returncode == 0, done.stderr
    assert f"-beta lost {configuration} of this version: it is sent again" in done.stderr
    whole(clients, built_here, registry.host, "v1.0.1")

    stored(registry, layer).unlink()
    done = built_here.run(*words)
    assert done.returncode == 6
    assert layer in done.stderr.partition(" failed\n")[2]
    assert "Traceback" not in done.stderr


def spoil(file: Path) -> None:
    """Another content of the same length."""
    file.write_bytes(bytes(file.stat().st_size))


def empty(file: Path) -> None:
    os.truncate(file, 0)


@pytest.mark.parametrize(
    ("which", "damage"),
    [(-2, empty), (-1, empty), (-1, spoil)],
    ids=["no layer", "no configuration", "another configuration"],
)
def test_what_the_registry_has_only_by_its_name(
    which: int,
    damage: Callable[[Path], None],
    built_here: Shop,
    registry: Process,
    clients: Clients,
) -> None:
    pushed(built_here, registry.host)
    blob = blobs(clients, built_here, registry.host, "v1.0.0")["beta"][which]
    file = stored(registry, blob)
    size = file.stat().st_size
    said = f"it has 0 bytes of {size}" if which != -1 else "its content is of another digest"
    damage(file)

    done = built_here.run("push", f"{registry.host}/team")

    assert done.returncode == 6
    assert f"/{built_here.name}-beta@{blob} is damaged: {said}.\n" in done.stderr

    file.unlink()
    pushed(built_here, registry.host)
    whole(clients, built_here, registry.host, "v1.0.0")


def test_a_layer_that_the_registry_cut_short(built_here: Shop, registry: Process, clients: Clients) -> None:
    pushed(built_here, registry.host)
    layer = blobs(clients, built_here, registry.host, "v1.0.0")["beta"][-2]
    file = stored(registry, layer)
    size = file.stat().st_size
    os.truncate(file, size - 7)

    done = built_here.run("push", f"{registry.host}/team")

    assert done.returncode == 6
    assert f"/{built_here.name}-beta@{layer} is damaged: it has {size - 7} bytes of {size}.\n" in done.stderr

    file.unlink()
    assert built_here.run("push", f"{registry.host}/team").returncode == 0
    whole(clients, built_here, registry.host, "v1.0.0")


REFUSALS: dict[str, Act] = {
    "begins an upload": asks_instead(rb"\?mount=\S*", b""),
    "begins an upload, and doesn't say which": answers("202 Accepted", "Location: /v2/nowhere"),
    "refuses": answers("405 Method Not Allowed"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_registry_that_does_not_mount(
    refusal: str, built_here: Shop, gate: Gate, registry: Process, clients: Clients
) -> None:
    fault = Fault("POST .*mount=", REFUSALS[refusal], times=99)
    gate.faults.append(fault)

    pushed(built_here, gate.host)

    there = blobs(clients, built_here, registry.host, "v1.0.0")
    assert fault.befallen >= len(SERVICES) - 1
    assert sent(gate) == sorted(digest for found in there.values() for digest in set(found))
    whole(clients, built_here, registry.host, "v1.0.0")


@pytest.mark.parametrize("elsewhere", [False, True], ids=["who pushed before", "who never pushed"])
def test_of_a_second_version_only_what_is_new_is_sent(  # noqa: PLR0913, PLR0917 - fixtures
    elsewhere: bool,
    built_here: Shop,
    gate: Gate,
    registry: Process,
    clients: Clients,
    little_room: Path,
) -> None:
    """There is no room for the base, which isn't packed either."""
    pushed(built_here, registry.host)
    before = blobs(clients, built_here, registry.host, "v1.0.0")
    if elsewhere:
        shutil.rmtree(built_here.folder / ".streamflow")
        for service in SERVICES:
            for tag in built_here.tags(service):
                built_here.live.api.remove_image(f"{built_here.name}-{service}:{tag}", force=True)
    built_here.write("beta/said.txt", "something else\n")
    built_here.report("v1.1.0")

    report = pushed(built_here, gate.host, "v1.1.0", TMPDIR=str(little_room))

    assert all(image["sent"] for image in report["images"])
    after = blobs(clients, built_here, registry.host, "v1.1.0")
    configurations = {found[-1] for found in after.values()}
    (changed,) = set(after["beta"][:-1]) - set(before["beta"][:-1])
    assert len(configurations) == len(SERVICES)
    assert sent(gate) == sorted({changed, *configurations})
    for service in ("alpha", "gamma"):
        assert after[service][:-1] == before[service][:-1]
    whole(clients, built_here, registry.host, "v1.1.0")


def test_a_new_service_takes_what_the_others_have(
    shop_here: Shop, gate: Gate, registry: Process, clients: Clients, little_room: Path
) -> None:
    shop_here.configure()
    shop_here.report("v1.0.0")
    pushed(shop_here, registry.host)
    with_version(shop_here, "v1.1.0")

    pushed(shop_here, gate.host, "v1.1.0", TMPDIR=str(little_room))

    there = blobs(clients, shop_here, registry.host, "v1.1.0")
    configurations = {found[-1] for found in there.values()}
    own = set(there["gamma"][:-1]) - set(there["alpha"][:-1])
    assert sent(gate) == sorted({*own, *configurations})
    whole(clients, shop_here, registry.host, "v1.1.0")


@pytest.mark.parametrize(
    "act", [cuts, answers("503 Service Unavailable"), answers("429 Too Many Requests", "Retry-After: 1")],
    ids=["cut", "503", "429"],
)  # fmt: skip
def test_a_layer_that_is_sent_while_it_is_packed_breaks_off(
    act: Act, built_here: Shop, gate: Gate, registry: Process, clients: Clients
) -> None:
    """Such a layer takes a while, and comes after its configuration: the order is of their digests."""
    fault = Fault("PATCH .*/blobs/uploads/", act)
    gate.faults.append(fault)
    for number in range(1, 13):
        for service in SERVICES:
            built_here.write(f"{service}/large.txt", os.urandom(12 << 20).hex())
        built_here.report(f"v1.1.{number}")

        pushed(built_here, gate.host, f"v1.1.{number}")

        whole(clients, built_here, registry.host, f"v1.1.{number}")
        if fault.befallen:
            break
    assert fault.befallen == 1


def test_no_room_for_layers_on_this_machine(
    built_here: Shop, registry: Process, clients: Clients, little_room: Path
) -> None:
    done = built_here.run("push", f"{registry.host}/team", TMPDIR=str(little_room))

    assert done.returncode == 6
    assert "Traceback" not in done.stderr
    assert (
        f"The layers can't be kept in {little_room} until they are sent: No space left on device."
        in done.stderr
    )
    assert "Make room there, or name another folder in TMPDIR." in done.stderr
    for service in SERVICES:
        assert clients.tags(registry.host, built_here, service) == []

    pushed(built_here, registry.host)
    whole(clients, built_here, registry.host, "v1.0.0")


@pytest.mark.parametrize("length", [0, 7])
def test_another_version_of_a_layer_that_is_damaged_there(
    length: int, built_here: Shop, registry: Process, clients: Clients
) -> None:
    pushed(built_here, registry.host)
    layer = blobs(clients, built_here, registry.host, "v1.0.0")["beta"][0]
    file = stored(registry, layer)
    size = file.stat().st_size
    built_here.images("v1.0.1")
    os.truncate(file, length)

    for words in (
        ("push", f"{registry.host}/team", "v1.0.1"),
        ("promote", "v1.0.0", "v1.0.2", f"{registry.host}/team"),
    ):
        done = built_here.run(*words)
        assert done.returncode == 6, done.stderr
        assert f"-beta@{layer} is damaged: it has {length} bytes of {size}.\n" in done.stderr
        assert {"1.0.1", "1.0.2"}.isdisjoint(clients.tags(registry.host, built_here, "beta"))
