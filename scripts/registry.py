"""Prints a folder that holds `docker-registry`, `crane` and `skopeo`, which the tests of pushes run.

    scripts/registry

Those that are on the PATH are used as they are. What is missing is fetched, on Debian as root, from the
distribution's packages into .engine/ (once); nothing is installed on the machine.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shlex
import shutil
import sys
from pathlib import Path

from machine.debian import Packages, this_release
from machine.errors import SetupError

HOME = Path(__file__).resolve().parent.parent / ".engine"
PROGRAMS = ("docker-registry", "crane", "skopeo")
LIBRARIES = ("usr/lib/*-linux-*", "lib/*-linux-*")
NONE_TO_BE_HAD = 3

WRAPPER = """\
#!/bin/sh
# {name} with the libraries that were fetched beside it.
export LD_LIBRARY_PATH={libraries}
exec {program} "$@"
"""


def main() -> int:
    """Print the folder, or what a person has to mend."""
    argparse.ArgumentParser(
        prog="scripts/registry", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    try:
        print(folder())
    except SetupError as error:
        print(f"scripts/registry: {error}", file=sys.stderr)
        return NONE_TO_BE_HAD
    except KeyboardInterrupt:
        return 130
    return 0


def folder() -> Path:
    """The folder with all programs, filled where it isn't yet. Raises SetupError."""
    programs = HOME / "registry-programs"
    HOME.mkdir(exist_ok=True)
    # The engine's, which fetches packages to the same place.
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not all((programs / name).exists() for name in PROGRAMS):
            fill(programs)
    return programs


def fill(programs: Path) -> None:
    """Link what the machine has, and fetch the rest; the folder is there complete or not at all."""
    found = {name: shutil.which(name) for name in PROGRAMS}
    root = HOME / "registry-root"
    if missing := tuple(name for name, place in found.items() if place is None):
        fetch(missing, root)
    fresh = programs.with_name(f"{programs.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    libraries = ":".join(str(place) for pattern in LIBRARIES for place in root.glob(pattern))
    for name, place in found.items():
        if place is not None:
            (fresh / name).symlink_to(place)
            continue
        program = shlex.quote(str(root / "usr/bin" / name))
        (fresh / name).write_text(
            WRAPPER.format(name=name, libraries=shlex.quote(libraries), program=program)
        )
        (fresh / name).chmod(0o755)
    shutil.rmtree(programs, ignore_errors=True)
    fresh.rename(programs)


def fetch(missing: tuple[str, ...], root: Path) -> None:
    """Unpack the packages, which are called as their programs are. Raises SetupError."""
    release = this_release()
    if release is None or release.distribution != "debian" or os.geteuid() != 0:
        raise SetupError(
            f"{', '.join(missing)} can't be found on the PATH, and can be fetched only on Debian, as root."
        )
    print(f"fetching {', '.join(missing)} into .engine/ (once)", file=sys.stderr)
    testing = tuple(name for name in missing if name == "crane")  # this release has none
    others = tuple(name for name in missing if name not in testing)
    Packages(HOME, release).unpack(others, testing=testing, into=root)


if __name__ == "__main__":
    sys.exit(main())
