"""From the text of streamflow.yaml to a Project: line marks, the file's shape, checks, a JSON Schema."""

from streamflow_build.config.load import load
from streamflow_build.config.schema import json_schema

__all__ = ["json_schema", "load"]
