"""The JSON Schema of streamflow.yaml, for editors, made from its shape."""

from __future__ import annotations

import msgspec

from streamflow_build.config import shape


def json_schema() -> str:
    """The schema as indented JSON with a newline at its end; the text of streamflow.schema.json."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "streamflow.yaml",
        **msgspec.json.schema(shape.Document),
    }
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"
