"""The derived files on the disk: written where they differ, or compared."""

from __future__ import annotations

import difflib
from pathlib import Path

from streamflow_build.disk import replace
from streamflow_build.errors import ConfigError
from streamflow_build.render.artefacts import MARK, PLACES, Artefact


def stale(root: Path, artefacts: tuple[Artefact, ...], places: tuple[str, ...] = PLACES) -> tuple[str, ...]:
    """The paths of the derived files that are missing, differ, or, in ``places``, derive from nothing any more."""
    differing = [a.path for a in artefacts if _text(root / a.path) != a.text]
    return (*differing, *_left_over(root, artefacts, places))


def write(root: Path, artefacts: tuple[Artefact, ...]) -> tuple[str, ...]:
    """Write what differs, each file whole or not at all; returns the paths that were written.

    Raises ConfigError when a file was made by hand, before any is written, and when one can't be written; those before
    it are.
    """
    by_hand = [each.path for each in artefacts if _is_by_hand(_text(root / each.path), each)]
    if by_hand:
        raise ConfigError(
            f"Not rendered from streamflow.yaml, and so not overwritten: {', '.join(by_hand)}.",
            hint="Move it away; what it says belongs in streamflow.yaml, or in a template.",
        )
    written = []
    for artefact in artefacts:
        if _text(root / artefact.path) != artefact.text:
            _replace(root / artefact.path, artefact)
            written.append(artefact.path)
    return tuple(written)


def remove(root: Path, artefacts: tuple[Artefact, ...]) -> tuple[str, ...]:
    """Remove the rendered files that nothing derives any more; returns the paths that were removed.

    Raises ConfigError when one can't be removed.
    """
    removed = _left_over(root, artefacts, PLACES)
    for path in removed:
        try:
            (root / path).unlink()
            if (root / path).parent != root and not any((root / path).parent.iterdir()):
                (root / path).parent.rmdir()
        except OSError as error:
            raise ConfigError(
                f"{path} is derived from nothing any more and can't be removed: {error.strerror}."
            ) from error
    return removed


def _left_over(root: Path, artefacts: tuple[Artefact, ...], places: tuple[str, ...]) -> tuple[str, ...]:
    """The paths of rendered files that nothing derives any more, such as those of a service that is gone."""
    known = {artefact.path for artefact in artefacts}
    paths = sorted(path.relative_to(root).as_posix() for place in places for path in root.glob(place))
    return tuple(p for p in paths if p not in known and (_text(root / p) or "").startswith(MARK))


def difference(root: Path, artefacts: tuple[Artefact, ...]) -> str:
    """What is stale as a unified diff, in which leftover files are deleted; empty where nothing is."""
    texts = {artefact.path: artefact.text for artefact in artefacts}
    return "".join(_diff(path, _text(root / path), texts.get(path)) for path in stale(root, artefacts))


def _diff(path: str, before: str | None, after: str | None) -> str:
    lines = difflib.unified_diff(
        (before or "").splitlines(keepends=True),
        (after or "").splitlines(keepends=True),
        "/dev/null" if before is None else f"a/{path}",
        "/dev/null" if after is None else f"b/{path}",
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _is_by_hand(text: str | None, artefact: Artefact) -> bool:
    # Its beginning tells; a template of one's own may leave it out.
    text = text or ""
    return artefact.text.startswith(MARK) and bool(text.strip()) and not text.startswith(MARK)


def _text(path: Path) -> str | None:
    try:
        # Reading a pipe or a device would wait for ever.
        if path.exists() and not path.is_file():
            return ""
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError):
        # Whatever it is, it isn't what was rendered; writing says what is wrong with it.
        return ""


def _replace(path: Path, artefact: Artefact) -> None:
    try:
        replace(path, artefact.text.encode())
    except OSError as error:
        raise ConfigError(
            f"{artefact.path} can't be written: {error.strerror}.",
            hint="Make room or fix the permissions, and render again.",
        ) from error
