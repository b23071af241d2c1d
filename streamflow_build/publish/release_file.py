"""The release file: what of a version is where, by digest, for whoever deploys it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec

from streamflow_build import disk
from streamflow_build.errors import UsageError
from streamflow_build.model.release import Published, PublishReport, Release, ReleasedImage, ReleasedTo
from streamflow_build.model.version import Version

FILE = Path(".streamflow/release.json")
"""Where that of the last push or promotion is, in the project's folder, unless the user names another place."""
_VERSIONS = Path(".streamflow/releases")
"""Where that of each version is, too."""


def of_version(version: str) -> Path:
    """Where that of a version is, in the project's folder."""
    return _VERSIONS / f"{version}.json"


def named(root: Path, word: str | None) -> Path:
    """The file that a word names: a path, or a version that was published from the project's folder, ``root``.

    Without a word it is that of the last push or promotion.
    """
    if word is None:
        return root / FILE
    if not Path(word).exists():
        with suppress(UsageError):
            return root / of_version(str(Version.parse(word)))
    return Path(word)


def read(path: Path) -> Release | None:
    """The release of a file; None where there is no file, or an empty one. Raises UsageError where it is no release."""
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise UsageError(f"{path} is no file that can hold a release.", hint="Name another file.")
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(
            f"The release file {path} can't be read: {error.strerror}.", hint="Fix it, or name another file."
        ) from error
    try:
        return msgspec.json.decode(text, type=Release) if text.strip() else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(
            f"{path} is no release file, or a damaged one: {error}.",
            hint="Name another file, or remove this one: a push writes it anew.",
        ) from error


def load(path: Path) -> Release:
    """The release of a file. Raises UsageError where there is none."""
    release = read(path)
    if release is None:
        of_versions = path.parent.glob("*.json") if path.parent.name == _VERSIONS.name else ()
        kept = sorted(each.stem for each in of_versions)
        there = f" There are releases of {', '.join(kept)}." if kept else ""
        raise UsageError(
            f"There is no release in {path}.{there}",
            hint="A push writes it, such as: streamflow-build push ghcr.io/org. Or name one: --release FILE",
        )
    return release


def check_writable(path: Path) -> None:
    """See that it can be written, before there is anything to write, and is no other file. Raises UsageError."""
    try:
        disk.check_writable(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    read(path)


def note(root: Path, output: Path | None, report: PublishReport) -> None:
    """Note what a run published where ``output`` says, else as the last of the project's folder, and as its version's.

    Raises UsageError where it can't be written.
    """
    for path in (output,) if output else (root / of_version(report.version), root / FILE):
        write(path, report)


def write(path: Path, report: PublishReport) -> None:
    """Note what a run published, all of it. What the file says of the same version in other registries stays.

    The file is there whole, or as it was. Raises UsageError where it can't be written.
    """
    before = read(path)
    kept = before.registries if before is not None and before.version == report.version else ()
    here = ReleasedTo(
        registry=report.registry,
        images=tuple(
            ReleasedImage(
                each.service,
                each.repository,
                each.digest,
                each.size,
                each.fingerprint,
                each.revision,
                each.tags,
            )
            for each in report.images
            if isinstance(each, Published)
        ),
        refused=report.refused,
    )
    others = tuple(each for each in kept if each.registry != report.registry)
    commits = {image.revision for registry in (*others, here) for image in registry.images}
    commit = commits.pop() if len(commits) == 1 else None
    release = Release(report.version, commit or None, (*others, here))
    try:
        disk.replace(path, msgspec.json.format(msgspec.json.encode(release)) + b"\n")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"The release file {path} can't be written: {error.strerror}.", hint="--output names another file."
    )
