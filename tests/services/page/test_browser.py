"""Where the browser of these tests comes from."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .conftest import BROWSER


def test_one_that_is_on_the_path_is_taken(tmp_path: Path) -> None:
    own = tmp_path / "chromium"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    found = subprocess.run([BROWSER], env=environ, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout, found.stderr) == (0, f"{own}\n", "")


def test_one_that_was_fetched_runs(chromium: str) -> None:
    found = subprocess.run([chromium, "--version"], capture_output=True, text=True, check=True)
    assert found.stdout.startswith(("Chromium ", "Google Chrome "))
