"""The Jinja environment: where templates are found, what they can call, and how their faults are told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import jinja2

from streamflow_build.errors import ConfigError

_PACKAGE = Path(__file__).parents[1]
_SHIPPED = (_PACKAGE / "templates", _PACKAGE.parent / "templates")
"""In the wheel the templates are inside the package, in a checkout beside it."""


class Templates:
    """A project's templates: those in its own ``templates/``, else those that the tool ships."""

    def __init__(self, root: Path) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader([root / "templates", *_SHIPPED]),
            undefined=jinja2.StrictUndefined,
            autoescape=False,  # noqa: S701 - Dockerfiles are no HTML; their values pass the filter `quoted`
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.filters["quoted"] = quoted

    def render(self, name: str, **values: Any) -> str:
        """The template's text with these values. Raises ConfigError that names the template and the line."""
        with _faults(name):
            return self._environment.get_template(name).render(**values)


def quoted(text: str) -> str:
    """Text as a quoted word of a Dockerfile, in which nothing is replaced
    (https://docs.docker.com/reference/dockerfile/#environment-replacement).
    """
    for character in ("\\", '"', "$"):
        text = text.replace(character, f"\\{character}")
    return f'"{text}"'


@contextlib.contextmanager
def _faults(name: str) -> Iterator[None]:
    try:
        yield
    except jinja2.TemplateNotFound as error:
        raise ConfigError(
            f"There is no template {error.name!r}, neither in the project's templates/ nor in the tool's.",
            hint="Install the tool again, or put the template there.",
        ) from None
    except jinja2.TemplateSyntaxError as error:
        where = f"templates/{error.name or name}:{error.lineno}"
        raise ConfigError(f"{where}: {error.message}.", hint="Mend the template.") from None
    except jinja2.UndefinedError as error:
        where = f"templates/{name}:{_line(error.__traceback__, name)}"
        raise ConfigError(
            f"{where}: {error.message}.", hint="A template knows project, service and what the tool's own ones use."
        ) from None
    except (TypeError, ValueError, ArithmeticError) as error:
        where = f"templates/{name}:{_line(error.__traceback__, name)}"
        raise ConfigError(f"{where}: {error}.", hint="Mend the template.") from None


def _line(trace: TracebackType | None, name: str) -> int:
    # Jinja rewrites the traceback so that a template's frames have its file's name and its own line numbers.
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.endswith(name):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
