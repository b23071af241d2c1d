"""Paths that streamflow.yaml names: in the project's folder, there, and of the right kind."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Literal

from streamflow_build.config.problems import Wrong, quoted

Kind = Literal["source", "file", "folder"]

# The rules of Go's filepath.Match, which Docker follows: a class in brackets is closed and not empty.
_WELL_FORMED = re.compile(r"(?:\\.|[^\\\[]|\[\^?+(?:\\.|[^\\\]-])(?:\\.|[^\\\]])*\])*")
_RANGE = re.compile(r"([^\\\[])-([^\\\]])(?=[^\[]*\])")


def inside(root: Path, text: str, kind: Kind) -> str:
    """The path in its plain form, relative to the project's folder.

    Raises Wrong when it is absolute, leaves the folder by ``..`` or by a symbolic link, is missing,
    unreadable or of another kind; a source is a file or a folder.
    """
    path = PurePosixPath(text)
    if path.is_absolute():
        raise Wrong(
            f"{quoted(text)} is an absolute path",
            "Write it relative to the folder of streamflow.yaml; what lies outside can't be built from.",
        )
    if ".." in path.parts:
        climbs = os.path.normpath(text).startswith("..")
        what = "climbs out of the project by '..'" if climbs else "has '..' in it"
        raise Wrong(
            f"{quoted(text)} {what}", "Write the way from the folder of streamflow.yaml without '..'."
        )
    if not path.parts:
        raise Wrong(f"{quoted(text)} is the whole project", "Name the files and folders that are needed.")
    _present(root, path, kind)
    return str(path)


def _present(root: Path, path: PurePosixPath, kind: Kind) -> None:
    try:
        target = (root / path).resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError):
        raise Wrong(
            f"{quoted(str(path))} doesn't exist{_nearest(root, path)}", "Make it, or correct the path."
        ) from None
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "its symbolic links go round in a circle"
        raise Wrong(
            f"{quoted(str(path))} can't be read: {reason}", "Correct the path or its permissions."
        ) from None
    if not target.is_relative_to(root.resolve()):
        raise Wrong(
            f"{quoted(str(path))} climbs out of the project by a symbolic link, to {quoted(str(target))}",
            "Put the files themselves into the project.",
        )
    fits = {
        "source": target.is_file() or target.is_dir(),
        "file": target.is_file(),
        "folder": target.is_dir(),
    }
    if not fits[kind]:
        wanted = {"source": "a file or a folder", "file": "a file", "folder": "a folder"}[kind]
        raise Wrong(f"{quoted(str(path))} is not {wanted}", f"Name {wanted}.")
    if not os.access(target, os.R_OK):
        raise Wrong(f"{quoted(str(path))} can't be read: Permission denied", "Correct its permissions.")


def _nearest(root: Path, path: PurePosixPath) -> str:
    found = root
    for part in path.parts:
        if not (found / part).exists():
            return "" if found == root else f" (there is no {quoted(part)} in {found.relative_to(root)})"
        found = found / part
    return ""


def covering(paths: tuple[str, ...]) -> tuple[str, ...]:
    """The paths in their order, without repetitions and without those that lie in another one of them."""
    unique = dict.fromkeys(paths)
    return tuple(p for p in unique if not any(p[:end] in unique for end, c in enumerate(p) if c == "/"))


def check_ignored(glob: str) -> None:
    """Raises Wrong for a pattern of .dockerignore that Docker refuses, by the rules of Go's filepath.Match."""
    found = _WELL_FORMED.match(glob)
    rest = glob[found.end() :] if found else glob
    if rest:
        what = f"the bracket of {quoted(rest)} isn't closed, or holds nothing"
        if rest == "\\":
            what = "the '\\' at its end escapes nothing"
        raise Wrong(f"{quoted(glob)} is no pattern that Docker takes: {what}", "Correct it.")
    for first, last in _RANGE.findall(glob):
        if first > last:
            what = f"the range {first}-{last} is the wrong way round"
            raise Wrong(f"{quoted(glob)} is no pattern that Docker takes: {what}", "Correct it.")
