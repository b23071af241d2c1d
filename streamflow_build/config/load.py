"""From a path to the Project: the one way in."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import inspect

from streamflow_build.config import shape
from streamflow_build.config.assembly import Assembly
from streamflow_build.config.document import compose, read_text
from streamflow_build.config.problems import Problems
from streamflow_build.config.reading import Reader
from streamflow_build.model.project import Project


def load(path: Path) -> Project:
    """The project that the file at ``path`` describes, merged with its defaults and checked.

    Raises ConfigError with everything that is wrong in it, each with file, line, column and key.
    """
    node = compose(read_text(path), path)
    problems = Problems(path)
    data = Reader(problems).read(node, inspect.type_info(shape.Document))
    problems.check()
    project = Assembly(path, problems).project(msgspec.convert(data, shape.Document))
    problems.check()
    return project
