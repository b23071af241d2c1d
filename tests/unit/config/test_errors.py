"""What a wrong streamflow.yaml makes the tool say: tests/golden/errors/<name>.yaml and .txt.

A new case is a new .yaml; the first run writes its .txt and fails, so that somebody reads it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from streamflow_build.config import load
from streamflow_build.errors import ConfigError

GOLDEN = Path(__file__).parents[2] / "golden" / "errors"


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.yaml")))
def test_message(name: str, folder: Path) -> None:
    (folder / "streamflow.yaml").write_bytes((GOLDEN / f"{name}.yaml").read_bytes())
    with pytest.raises(ConfigError) as caught:
        load(Path("streamflow.yaml"))
    said = f"{caught.value}\n".replace(str(folder), "/project")
    expected = GOLDEN / f"{name}.txt"
    if not expected.exists():
        expected.write_text(said)
        pytest.fail(f"{expected} was missing and is written now: read it, and commit it when it is good.")
    assert said == expected.read_text()
    assert caught.value.exit_code == 2


def test_every_message_has_its_file() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {path.stem for path in GOLDEN.glob("*.yaml")}
