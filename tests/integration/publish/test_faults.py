"""What befalls requests on their way to a registry: success, or exit code 6 with nothing half published."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from ..shop import Shop, until
from .conftest import SERVICES, Clients, pushed
from .registries import Act, Fault, Gate, Process, answers, changes, comes_late, cuts, stalls

SERIES = ("v1.0.0", "1.0.0", "1.0", "1", "latest")
KINDS = {
    "the list of tags": "GET .*/tags/list",
    "looking at a manifest": "(GET|HEAD) .*/manifests/",
    "looking at a blob": "HEAD .*/blobs/",
    "beginning an upload": "POST .*/blobs/uploads/",
    "sending a layer": "(PATCH|PUT) .*/blobs/uploads/",
    "setting a tag": "PUT .*/manifests/",
}


def whole(shop: Shop, host: str, clients: Clients) -> None:
    """Every tag of the series is there, for each service on one image."""
    on = clients.digests(host, shop, *SERIES)
    for service in SERVICES:
        assert len({on[tag][service] for tag in SERIES}) == 1


def never_mixed(
    shop: Shop, host: str, clients: Clients, floating: tuple[str, ...] = ("1.0", "1", "latest")
) -> None:
    """Each tag that is there is the version's; a floating one is there only where the full one is for all."""
    on = clients.digests(host, shop, *SERIES)
    complete = all(service in on["v1.0.0"] for service in SERVICES)
    for tag in floating:
        assert complete or not on[tag]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "status", ["429 Too Many Requests", "500 Internal Server Error", "503 Service Unavailable"]
)
def test_a_refusal_that_passes(  # noqa: PLR0913, PLR0917 - fixtures
    kind: str, status: str, built_here: Shop, gate: Gate, registry: Process, clients: Clients
) -> None:
    after = ["Retry-After: 1"] if status.startswith("429") else []
    fault = Fault(KINDS[kind], answers(status, *after))
    gate.faults.append(fault)

    pushed(built_here, gate.host)

    assert fault.befallen == 1
    whole(built_here, registry.host, clients)


def test_a_registry_that_wants_layers_sent_elsewhere(
    built_here: Shop, gate: Gate, registry: Process, clients: Clients
) -> None:
    act = answers("307 Temporary Redirect", "Location: http://elsewhere.example/1?secret=x")
    gate.faults.append(Fault(KINDS["sending a layer"], act, times=99))

    done = built_here.run("push", f"{gate.host}/team")

    assert done.returncode == 6
    assert "sent elsewhere, to elsewhere.example, which isn't followed." in done.stderr
    assert "secret" not in done.stderr
    assert "attempt" not in done.stderr
    never_mixed(built_here, registry.host, clients)


def test_a_registry_that_forgets_an_upload(
    built_here: Shop, gate: Gate, registry: Process, clients: Clients
) -> None:
    """It was started again, say, or another of several answers."""
    body = b'{"errors": [{"code": "BLOB_UPLOAD_UNKNOWN", "message": "upload unknown"}]}'
    gate.faults.append(Fault(KINDS["sending a layer"], answers("404 Not Found", body=body)))

    done = built_here.run("push", f"{gate.host}/team")

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the registry forgot the upload of ") == 1
    whole(built_here, registry.host, clients)


@pytest.mark.parametrize(
    "told", ["Location: http://[::1", "Location: http://host:port/", "Location: ftp://x/"]
)
def test_a_place_for_an_upload_that_is_none(
    told: str, built_here: Shop, gate: Gate, registry: Process, clients: Clients
) -> None:
    gate.faults.append(Fault("POST .*/blobs/uploads/", answers("202 Accepted", told), times=99))

    done = built_here.run("push", f"{gate.host}/team")

    assert done.returncode == 6
    assert "Traceback" not in done.stderr
    assert re.search("(has, or gave,|gave) an address that is none|can't be asked", done.stderr)
    never_mixed(built_here, registry.host, clients)


def test_each_attempt_is_told(built_here: Shop, gate: Gate) -> None:
    gate.faults.append(Fault("GET .*/tags/list", answers("429 Too Many Requests", "Retry-After: 1"), times=2))

    done = built_here.run("push", f"{gate.host}/team")

    assert done.returncode == 0
    told = [line for line in done.stderr.splitlines() if "attempt" in line]
    assert len(told) == 2
    assert re.fullmatch(
        rf"{gate.host}/team/\S+: 429 for the tags of team/\S+; attempt 2 of 5 in 1\.0 s", told[0]
    )


def test_a_registry_that_asks_for_too_long_a_wait(built_here: Shop, gate: Gate) -> None:
    gate.faults.append(
        Fault("GET .*/tags/list", answers("429 Too Many Requests", "Retry-After: 3600"), times=99)
    )

    started = time.monotonic()
    done = built_here.run("push", f"{gate.host}/team")

    assert done.returncode == 6
    assert "the registry asks to wait 3600 s" in done.stderr
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("kind", ["sending a layer", "setting a tag", "looking at a manifest"])
def test_a_connection_that_is_cut(
    kind: str, built_here: Shop, gate: Gate, registry: Process, clients: Clients
) -> None:
    fault = Fault(KINDS[kind], cuts, times=2)
    gate.faults.append(fault)

    pushed(built_here, gate.host)

    assert fault.befallen == 2
    whole(built_here, registry.host, clients)


@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_a_wrong_digest_in_an_answer(
    method: str, built_here: Shop, gate: Gate, registry: Process, clients: Clients
) -> None:
    wrong = b"sha256:" + b"0" * 64
    act = changes(rb"(?i)(docker-content-digest: )\S+", rb"\g<1>" + wrong)
    gate.faults.append(Fault(rf"{method} \S*-beta/manifests/", act, times=9))

    done = built_here.run("push", f"{gate.host}/team")

    assert done.returncode == 6
    assert wrong.decode() in done.stderr
    never_mixed(built_here, registry.host, clients)


def test_a_connection_that_stalls(built_here: Shop, gate: Gate, registry: Process, clients: Clients) -> None:
    """The tool asks again after half a minute, which is how long a registry may say nothing."""
    gate.faults.append(Fault("GET .*/tags/list", stalls(60)))

    done = built_here.run("push", f"{gate.host}/team")

    assert done.returncode == 0
    assert f"{gate.host} did not answer in time; attempt 2 of 5" in done.stderr
    whole(built_here, registry.host, clients)


def test_a_layer_that_takes_a_while_to_be_stored(
    built_here: Shop, gate: Gate, registry: Process, clients: Clients
) -> None:
    """Longer than a registry may say nothing otherwise."""
    fault = Fault(KINDS["sending a layer"], comes_late(35))
    gate.faults.append(fault)

    done = built_here.run("push", f"{gate.host}/team")

    assert done.returncode == 0, done.stderr
    assert fault.befallen == 1
    assert "attempt" not in done.stderr
    whole(built_here, registry.host, clients)


@pytest.mark.parametrize(
    "act",
    [answers("405 Method Not Allowed"), answers("500 Internal Server Error"), cuts],
    ids=["405", "500", "cut"],
)
def test_a_registry_that_lets_nothing_be_deleted(
    act: Act, built_here: Shop, gate: Gate, registry: Process, clients: Clients
) -> None:
    """An upload is begun and given up, to see whether the user may write; that it can't be given up is no matter."""
    fault = Fault("DELETE .*", act, times=99)
    gate.faults.append(fault)

    done = built_here.run("push", f"{gate.host}/team")

    assert done.returncode == 0, done.stderr
    assert fault.befallen == len(SERVICES)
    assert "DELETE" not in done.stderr
    assert "attempt" not in done.stderr
    whole(built_here, registry.host, clients)


def test_a_list_of_tags_that_has_no_end(built_here: Shop, gate: Gate) -> None:
    link = 'Link: </v2/x/tags/list?n=1>; rel="next"'
    gate.faults.append(Fault("GET .*/tags/list", answers("200 OK", link, body=b'{"tags": []}'), times=99))

    done = built_here.run("push", f"{gate.host}/team")

    assert done.returncode == 6
    assert (
        f"lists its tags in a circle: after http://{gate.host}/v2/x/tags/list?n=1 it comes again."
        in done.stderr
    )


@pytest.fixture
def cramped(registry: Process) -> Iterator[Process]:
    """A registry with less room than an image takes."""
    registry.data.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "room", registry.data], check=True)
    yield registry
    registry.stop()
    subprocess.run(["umount", registry.data], check=True)
    registry.start()


def test_a_registry_whose_disk_is_full(built_here: Shop, cramped: Process, clients: Clients) -> None:
    done = built_here.run("push", f"{cramped.host}/team", "--jobs", "1")

    assert done.returncode == 6
    assert "Traceback" not in done.stderr
    assert "Run the command again later: it sends only what is missing." in done.stderr
    never_mixed(built_here, cramped.host, clients)


def test_interrupted_while_a_layer_is_sent(built_here: Shop, gate: Gate, registry: Process) -> None:
    gate.faults.append(Fault(KINDS["sending a layer"], stalls(120), times=9))
    run = built_here.start("push", f"{gate.host}/team")
    until(
        lambda: any(re.match(KINDS["sending a layer"], head) for head in gate.heads),
        "a layer is on its way",
    )

    run.process.send_signal(signal.SIGINT)
    done = run.ended(30)

    assert done.returncode == 130
    assert done.stderr.endswith("streamflow-build: Interrupted.\n")
    assert "Traceback" not in done.stderr
    assert "failed" not in done.stdout + done.stderr
    assert "3 cancelled in " in done.stdout
    assert not list(registry.data.rglob("_manifests/tags"))
    assert not [tag for tag in built_here.tags("alpha") if "/" in tag]


def test_killed_at_any_moment_and_started_again(
    built_here: Shop, registry: Process, clients: Clients
) -> None:
    chance = random.Random(20)  # noqa: S311 - no secret
    for number in range(1, 21):
        version = f"v1.0.{number}"
        built_here.write("beta/said.txt", f"something else, {number}\n")
        built_here.report(version)
        before = clients.digests(registry.host, built_here, "latest")["latest"]
        run = built_here.start("push", f"{registry.host}/team", version)
        time.sleep(chance.uniform(0.1, 1.2))
        run.process.send_signal(signal.SIGKILL)
        run.ended()
        after = clients.digests(registry.host, built_here, version, "latest")
        if len(after[version]) < len(SERVICES):
            assert after["latest"] == before

        pushed(built_here, registry.host, version)

        on = clients.digests(registry.host, built_here, version, "latest")
        assert on["latest"] == on[version]
        assert set(on[version]) == set(SERVICES)


REDIRECTED = "307 Temporary Redirect"


@pytest.mark.parametrize(
    "match", ["GET /v2/ ", "HEAD .*/manifests/", "GET .*/blobs/", "PUT .*/blobs/uploads/"]
)
@pytest.mark.parametrize(
    "address", ["http://[x/", "http://\xff/", "foo://me:s3cret@there/", "http://127.0.0.1:99999/"]
)
def test_a_redirection_to_an_address_that_is_none(
    match: str, address: str, built_here: Shop, gate: Gate, registry: Process
) -> None:
    if match.startswith(("HEAD", "GET .")):
        pushed(built_here, registry.host)
    gate.faults.append(Fault(match, answers(REDIRECTED, f"Location: {address}"), times=99))

    done = built_here.run("push", f"{gate.host}/team")

    assert done.returncode == 6
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stderr


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (answers("206 Partial Content", body=b"x"), "answers 206 for the blob"),
        (answers("304 Not Modified"), "answers 304 for the blob"),
        (answers("200 OK", "Content-Encoding: gzip", body=b"nonsense"), "can't be decoded"),
        (answers("200 OK", body=bytes(5 << 20)), "is longer than the 4194304 bytes that it may have."),
    ],
    ids=["206", "304", "no gzip", "long"],
)
def test_an_odd_answer_is_no_damage(
    answer: Act, said: str, built_here: Shop, gate: Gate, registry: Process
) -> None:
    pushed(built_here, registry.host)
    gate.faults.append(Fault("GET .*/blobs/", answer, times=99))

    done = built_here.run("push", f"{gate.host}/team")

    assert done.returncode == 6
    assert said in done.stderr
    assert "is damaged" not in done.stderr
