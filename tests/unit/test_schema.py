"""streamflow.schema.json, which editors read, is what the types say."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from check_jsonschema import main as check_jsonschema

from streamflow_build.cli.schema import schema

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "streamflow.schema.json"


def test_it_is_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    schema()
    assert SCHEMA.read_text() == capsys.readouterr().out, (
        "streamflow.schema.json is not what streamflow_build/config/shape.py says. Run: make schema"
    )


def test_streamflow_yaml_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--schemafile", str(SCHEMA), str(ROOT / "streamflow.yaml")]
    assert check_jsonschema(arguments, standalone_mode=False) in {0, None}, capsys.readouterr().out


def test_editors_find_it() -> None:
    first = (ROOT / "streamflow.yaml").read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={SCHEMA.name}"


def test_every_object_is_closed_and_every_key_described() -> None:
    definitions = yaml.safe_load(SCHEMA.read_text())["$defs"]
    for name, definition in definitions.items():
        assert definition["additionalProperties"] is False, name
        assert definition["description"], name
        for key, value in definition["properties"].items():
            assert "description" in value or "$ref" in value, f"{name}.{key}"
