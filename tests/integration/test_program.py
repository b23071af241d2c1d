"""The installed program, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
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
