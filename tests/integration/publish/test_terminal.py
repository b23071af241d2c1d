"""What push and promote draw on a terminal while they run, and what stays there."""

from __future__ import annotations

import re

from ..shop import Shop, until
from .conftest import SERVICES
from .registries import Fault, Gate, Process, answers, comes_late, stalls

SHOW, HIDE = b"\x1b[?25h", b"\x1b[?25l"
ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


def drawn(screen: bytes) -> tuple[str, str]:
    """What was written until the live lines were taken away, and what came after that."""
    live, _, after = screen.rpartition(SHOW)
    assert HIDE in live
    assert HIDE not in after
    return ESCAPE.sub(b"", live).decode(), ESCAPE.sub(b"", after).decode()


def test_bytes_while_it_sends_and_then_the_table(built_here: Shop, gate: Gate) -> None:
    gate.faults.append(Fault("GET .*/tags/list", answers("503 Service Unavailable")))
    # Until its tag is put, a service that has sent everything is sending.
    gate.faults.append(Fault("PUT .*/manifests/", comes_late(1.5), times=len(SERVICES)))

    with built_here.on_terminal("push", f"{gate.host}/team") as run:
        assert run.ended() == 0

    live, after = drawn(run.screen)
    assert re.search(r"alpha +preparing", live)
    assert re.search(r"[━─]{30} +(\d+\.\d) of \1 MB  sending", live)
    assert re.search(r"[━─]{30} +(\d+\.\d) of \1 MB  pushed in \d+\.\d s", live)
    assert live.count("; attempt 2 of 5 in ") == 1
    lines = [line.strip() for line in after.splitlines() if line.strip()]
    assert lines[0].startswith("service")
    assert [line.split()[0] for line in lines[1:4]] == list(SERVICES)
    assert re.fullmatch(rf"1\.0\.0 at {gate.host}/team: 3 pushed in \d+\.\d s", lines[4])
    assert len(lines) == 5


def test_again_everything_is_there_already(built_here: Shop, registry: Process) -> None:
    built_here.run("push", f"{registry.host}/team")

    with built_here.on_terminal("push", f"{registry.host}/team") as run:
        assert run.ended() == 0

    live, _ = drawn(run.screen)
    for service in SERVICES:
        assert re.search(rf"{service} +already there", live)
    assert " MB" not in live


def test_promote_draws_too(built_here: Shop, registry: Process) -> None:
    built_here.run("push", f"{registry.host}/team")

    with built_here.on_terminal("promote", "v1.0.0", "v1.0.1", f"{registry.host}/team") as run:
        assert run.ended() == 0

    live, after = drawn(run.screen)
    assert re.search(r"alpha .* of \d+\.\d MB  pushed in ", live)
    assert f"1.0.1 at {registry.host}/team: 3 pushed in " in after


def test_ctrl_c_leaves_the_cursor_visible(built_here: Shop, gate: Gate) -> None:
    gate.faults.append(Fault("PUT .*/blobs/uploads/", stalls(120), times=9))

    with built_here.on_terminal("push", f"{gate.host}/team") as run:
        until(lambda: any(re.match("PUT .*/blobs/uploads/", head) for head in gate.heads), "a layer is sent")
        run.press(b"\x03")
        assert run.ended(30) == 130

    _, after = drawn(run.screen)
    assert after.rstrip().endswith("streamflow-build: Interrupted.")
    assert "3 cancelled in " in after
    assert "Traceback" not in after
