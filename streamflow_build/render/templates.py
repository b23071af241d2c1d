"""The Jinja environment: where templates are found, what they can call, and how their faults are told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import jinja2

from streamflow_build.errors import ConfigError

_PACKAGE = Path(__file__).parents[1]
_SHIPPED = (_PACKAGE / "templates", _PACKAGE.parent / "templates")
"""In the wheel the templates are inside the package, in a checkout beside it."""

# https://yaml.org/spec/1.2.2/#733-plain-style and https://yaml.org/type/bool.html: what begins with a letter, has a
# colon only before a letter or digit, and is none of these words, is a text in YAML 1.1 and 1.2.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(:[A-Za-z0-9_./-]+)*")
# What YAML has no place for, or takes for the end of a line; both it and JSON write it as an escape.
_NOT_YAML = re.compile(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


class Templates:
    """A project's templates: those in its own ``templates/``, else those that the tool ships."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders = (root / "templates", *_SHIPPED)
        self._files = jinja2.FileSystemLoader(self._folders)
        self._environment = jinja2.Environment(
            loader=jinja2.FunctionLoader(self._source),
            undefined=jinja2.StrictUndefined,
            autoescape=False,  # noqa: S701 - Dockerfiles are no HTML; their values pass the filters below
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.filters["quoted"] = quoted
        self._environment.filters["json"] = exec_form
        self._environment.filters["scalar"] = scalar
        self._environment.filters["words"] = words

    def render(self, name: str, **values: Any) -> str:
        """The template's text with these values. Raises ConfigError that names the template and the line."""
        try:
            text = self._environment.get_template(name).render(**values)
            text.encode()
        except jinja2.TemplateNotFound as error:
            raise ConfigError(
                f"There is no template {error.name!r} in the project's templates/, nor in the tool's.",
                hint="Install the tool again, or put the template there.",
            ) from None
        except jinja2.TemplateSyntaxError as error:
            raise self._wrong(error.name or name, error.lineno, error.message or "a syntax error") from None
        except UnicodeEncodeError as error:
            what = f"it makes {error.object[error.start]!r}, which no file can hold"
            raise self._wrong(name, None, what) from None
        except SyntaxError as error:
            # The line is that of the Python code which Jinja made of the template.
            raise self._wrong(name, None, f"it is nested too deeply: {error.msg}") from None
        except MemoryError as error:
            file, line = self._innermost(error.__traceback__) or (name, None)
            raise self._wrong(file, line, "it makes more text than the memory holds") from None
        except RecursionError as error:
            file, line = self._innermost(error.__traceback__) or (name, None)
            raise self._wrong(file, line, "its calls or brackets are nested too deeply") from None
        except OSError as error:
            raise self._wrong(name, None, f"it can't be read: {error.strerror}") from None
        except (
            jinja2.TemplateError,
            ArithmeticError,
            AssertionError,
            AttributeError,
            LookupError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:
            # What else a template can raise comes from what it calls with its own values.
            file, line = self._innermost(error.__traceback__) or (name, None)
            raise self._wrong(file, line, str(error) or type(error).__name__) from None
        return text

    def _source(self, name: str) -> tuple[str, str | None, Callable[[], bool] | None]:
        """A template's text for Jinja; faults are told here, where it is known which of several is read."""
        try:
            return self._files.get_source(self._environment, name)
        except jinja2.TemplateNotFound:
            raise
        except UnicodeDecodeError:
            raise self._wrong(name, None, "it is not UTF-8 text") from None
        except OSError as error:
            raise self._wrong(name, None, f"it can't be read: {error.strerror}") from None

    def _wrong(self, name: str, line: int | None, what: str) -> ConfigError:
        file = next((f / name for f in self._folders if (f / name).is_file()), Path(name))
        where = str(file.relative_to(self._root) if file.is_relative_to(self._root) else file)
        where += "" if line is None else f":{line}"
        return ConfigError(f"{where}: {what.rstrip('.')}.", hint="Fix the template.")

    def _innermost(self, trace: TracebackType | None) -> tuple[str, int] | None:
        """The template and its line that ran last: Jinja gives its frames the template's file and lines."""
        place: tuple[str, int] | None = None
        while trace is not None:
            file = Path(trace.tb_frame.f_code.co_filename)
            for folder in self._folders:
                if file.is_relative_to(folder):
                    place = (file.relative_to(folder).as_posix(), trace.tb_lineno)
            trace = trace.tb_next
        return place


def quoted(text: str) -> str:
    """Text as a quoted word of a Dockerfile, in which nothing is replaced.

    The rules: https://docs.docker.com/reference/dockerfile/#environment-replacement.
    """
    for character in ("\\", '"', "$"):
        text = text.replace(character, f"\\{character}")
    return f'"{text}"'


def exec_form(words: object) -> str:
    """Words as the exec form of CMD, which is JSON; no shell sees them. YAML reads it, too."""
    return _NOT_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(words, ensure_ascii=False))


def words(text: str) -> list[str]:
    """A command that a template gives as words in JSON. Raises ValueError where it gives something else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not found or not all(isinstance(word, str) for word in found):
        raise ValueError(f'it wants words in JSON, such as ["true"], and gets {text.strip()[:60]!r}')
    return found


def scalar(text: str) -> str:
    """Text as YAML that every version of it reads as this text: plain where that is sure, else in quotes."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return text if plain else exec_form(text)
