"""``streamflow-build schema``: the JSON Schema of streamflow.yaml, for editors."""

import sys


def schema() -> None:
    """Print the JSON Schema of streamflow.yaml.

    The file streamflow.schema.json is its output.
    """
    from streamflow_build.config.schema import json_schema

    sys.stdout.write(json_schema())
