"""From the file to YAML nodes: what can go wrong before a key means anything."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path
from typing import Any

import yaml

from streamflow_build.config.problems import Mark, Problems
from streamflow_build.errors import ConfigError

# The composer calls itself for each level, and the C one has no limit of its own: the stack would end first.
_DEEPEST = 50
_LARGEST = 1_000_000
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# YAML 1.1, chapter 5.1, without the byte order mark, which is gone once the text is decoded.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

_ANOTHER = "but found another document"
_READABLE = {
    "mapping values are not allowed in this context": "a ':' that can't be here",
    "mapping values are not allowed here": "a ':' that can't be here",
    "did not find expected key": "a key was expected here",
    "did not find expected '-' indicator": "a list's '- ' was expected here",
    "found undefined alias": "an alias whose anchor isn't defined above it",
    _ANOTHER: "a second document starts here",
    "found unexpected end of stream": "the quotes that start here don't end",
    "did not find expected node content": "a value was expected here",
    "did not find expected ',' or ']'": "a ',' or ']' was expected here",
    "did not find expected ',' or '}'": "a ',' or '}' was expected here",
    "could not find expected ':'": "a ':' was expected after the key",
}


def read_text(file: Path) -> str:
    """The file's text. Raises ConfigError when there is none, or it is no text."""
    try:
        data, size = _read(file) if not file.exists() or file.is_file() else (None, 0)
    except OSError as error:
        raise _unreadable(file, error) from error
    except ValueError as error:
        raise ConfigError(
            f"{str(file)!r} is not a path.", hint="Give the path of streamflow.yaml."
        ) from error
    if data is None:
        what = "a folder" if file.is_dir() else "not a regular file"
        raise ConfigError(
            f"{file}: this is {what}.", hint="Give the file itself, such as --config streamflow.yaml."
        )
    if size > _LARGEST:
        raise ConfigError(
            f"{file}: the file has {size:,} bytes; streamflow.yaml has at most {_LARGEST:,}.",
            hint="Check that --config names the right file.",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", errors="replace")
        mark = _position(before)
        raise ConfigError(
            f"{file}:{mark.line}:{mark.column}: the file is not UTF-8 text", hint="Save it as UTF-8."
        ) from error


def folder_of(file: Path) -> Path:
    """The absolute path of the file's folder. Raises ConfigError where the current folder, which it needs, is gone."""
    try:
        return file.absolute().parent
    except FileNotFoundError as error:
        raise ConfigError("The current folder is gone.", hint="Change to one that exists: cd PATH") from error


def compose(text: str, file: Path) -> yaml.Node:
    """The text's only document. Raises ConfigError, with the position, when it is no YAML or empty."""
    problems = Problems(file)
    odd = _UNPRINTABLE.search(text)
    if odd is not None:
        what = f"this is not YAML: the character U+{ord(odd[0]):04X} can't stand in it"
        problems.at(_position(text[: odd.start()]), (), what, "Delete it.")
        problems.check()
    try:
        _refuse_depth(text, problems)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = _error_mark(error)
        problems.at(mark, (), f"this is not YAML: {_reason(error, text, mark)}", _advice(text, mark))
    problems.check()
    if node is None:
        raise ConfigError(
            f"{file}: the file is empty.",
            hint="It needs at least the keys project, bases and services.",
        )
    return node


def _read(file: Path) -> tuple[bytes, int]:
    """A file's content, no more of it than shows that it is too large, and its size in bytes."""
    with file.open("rb") as opened:
        data = opened.read(_LARGEST + 1)
        return data, max(len(data), os.fstat(opened.fileno()).st_size)


def _refuse_depth(text: str, problems: Problems) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            mark = _mark(event.start_mark)
            problems.at(
                mark, (), f"this is nested more than {_DEEPEST} levels deep", "streamflow.yaml needs 5."
            )
            problems.check()


def _unreadable(file: Path, error: OSError) -> ConfigError:
    if error.errno == errno.ENOENT:
        return ConfigError(
            f"{file}: there is no such file (looked in {folder_of(file)}).",
            hint="Run this in the project's folder, or name the file: streamflow-build --config PATH …",
        )
    return ConfigError(
        f"{file}: can't be read: {error.strerror}.", hint="Check the path and its permissions."
    )


def _error_mark(error: yaml.MarkedYAMLError) -> Mark:
    # Of a quote that never ends the beginning is more useful than the end of the file.
    unended = error.problem == "found unexpected end of stream"
    first, second = error.context_mark, error.problem_mark
    return _mark((first or second) if unended else (second or first))


def _mark(mark: Any) -> Mark:
    # The C parser's marks are a class of their own.
    return Mark(1, 1) if mark is None else Mark(mark.line + 1, mark.column + 1)


def _reason(error: yaml.MarkedYAMLError, text: str, mark: Mark) -> str:
    found = _character(text, mark)
    if found == "\t":
        return "a tab"
    problem = error.problem or "it can't be parsed"
    if problem == "found character that cannot start any token":
        return f"nothing can start with {found!r}"
    reason = _READABLE.get(problem, problem)
    if problem != _ANOTHER and error.context_mark is not None and error.context_mark.line + 1 < mark.line:
        return f"{reason}, in what begins on line {error.context_mark.line + 1}"
    return reason


def _advice(text: str, mark: Mark) -> str:
    found = _character(text, mark)
    if found == "\t":
        return "YAML indents with spaces: replace the tab."
    if found and found in "@`%":
        return "Put the text in quotes."
    return "Look at this line and the one before it: indentation, quotes, brackets, a ':' within a text."


def _character(text: str, mark: Mark) -> str:
    lines = text.split("\n")
    line = lines[mark.line - 1] if mark.line <= len(lines) else ""
    return line[mark.column - 1 : mark.column]


def _position(before: str) -> Mark:
    return Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
