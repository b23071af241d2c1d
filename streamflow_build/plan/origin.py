"""Where sources come from: the commit that is checked out and the time to note in an image."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from streamflow_build.errors import UsageError
from streamflow_build.plan.images import Origin


def origin(root: Path, sources: tuple[str, ...]) -> Origin:
    """The commit of the project's folder, as of ``revision``, and the time.

    The time is SOURCE_DATE_EPOCH where it is set and not empty, else now
    (https://reproducible-builds.org/specs/source-date-epoch/).
    Raises UsageError when SOURCE_DATE_EPOCH is no number of seconds.
    """
    created = _created(os.environ.get("SOURCE_DATE_EPOCH") or None)
    return Origin(revision(root, sources), created)


def revision(root: Path, sources: tuple[str, ...] = ()) -> str | None:
    """The commit of a folder; None where there is none, or no git.

    ``-dirty`` is behind it where a file differs from it, or where one of ``sources`` holds a file that it doesn't know.
    """
    commit = _git(root, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    if commit is None or commit.endswith("-dirty") or not sources:
        return commit
    unknown = _git(root, "ls-files", "--others", "--exclude-standard", "--", *sources)
    return f"{commit}-dirty" if unknown else commit


def _git(root: Path, *words: str) -> str | None:
    try:
        found = subprocess.run(
            # A source's name is one, whatever it looks like.
            ["git", "-C", str(root), "--literal-pathspecs", *words],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError:  # git is not installed, or can't be run
        return None
    return found.stdout.strip() if found.returncode == 0 else None


def _created(epoch: str | None) -> str:
    try:
        at = datetime.now(UTC) if epoch is None else datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {epoch!r}, which is no number of seconds since 1970.",
            hint="Unset it, or set it to a whole number: SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)",
        ) from None
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
