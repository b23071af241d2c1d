"""The installed program, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("docker", "requests", "urllib3", "rich", "jinja2", "yaml", "grpclib", "google.protobuf", "asyncio")


@pytest.mark.parametrize("arguments", [["--help"], ["images", "--help"], ["--version"]])
def test_what_needs_nothing_imports_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys; from streamflow_build.__main__ import main; "
        f"code = main({arguments!r}); print(code, [m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "0 []\n"


@pytest.mark.parametrize("module", ["run", "publish"])
def test_rich_is_imported_only_to_draw(module: str) -> None:
    program = f"import sys, streamflow_build.report.{module}; print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_layers_hold() -> None:
    done = subprocess.run([BIN / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("arguments", [["schema"], ["images", "--help"]])
def test_a_reader_that_goes_away(arguments: list[str]) -> None:
    """As in ``streamflow-build schema | head -1``."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [BIN / "streamflow-build", *arguments],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("arguments", [["schema"], ["--help"], ["images", "--help"]])
def test_a_full_disk(arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [BIN / "streamflow-build", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        2,
        "streamflow-build: The output can't be written: No space left on device.\n",
    )


@pytest.mark.parametrize("closed", ["0<&-", ">&-", "2>&-", "0<&- >&- 2>&-"])
def test_closed_streams(closed: str, tmp_path: Path) -> None:
    program = BIN / "streamflow-build"
    done = subprocess.run(
        ["bash", "-c", f"{program} schema {closed}; echo $?; {program} images {closed}; echo $?"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert [line for line in done.stdout.splitlines() if line.isdigit()] == ["0", "2"]
    assert "Traceback" not in done.stderr


RACE = """
import sys, threading
from streamflow_build.model.report import Size, Unchanged
from streamflow_build.report.clean import Cleaned, Mask
import msgspec

class Inner:
    def service_finished(self, outcome):
        pass

sys.setswitchinterval(1e-6)
outcome = Unchanged("x", ("a",), (), "i", Size(*[0] * len(msgspec.structs.fields(Size))), 1.0)
cleaned, together = Cleaned(Inner(), Mask(())), threading.Barrier(6)

def finish():
    together.wait()
    cleaned.service_finished(outcome)

threads = [threading.Thread(target=finish) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_outcomes_of_several_threads_at_once() -> None:
    """msgspec dies of learning one type in two threads: one run in six, without a lock."""
    ended = [subprocess.run([sys.executable, "-c", RACE], check=False).returncode for _ in range(12)]
    assert ended == [0] * 12


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_exit_code_tells_what_a_full_error_stream_cannot(unbuffered: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [BIN / "streamflow-build", "images", "banana"],
            cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": unbuffered}, stderr=full, check=False,
        )  # fmt: skip
    assert done.returncode == 2


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_slow_reader_of_a_pipe_that_does_not_block_gets_it_all(unbuffered: str) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with subprocess.Popen(
        [BIN / "streamflow-build", "schema"],
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered}, stdout=writing,
    ) as program:  # fmt: skip
        os.close(writing)
        time.sleep(1)
        with os.fdopen(reading) as reader:
            read = reader.read()
    assert program.returncode == 0
    assert read == (ROOT / "streamflow.schema.json").read_text()
