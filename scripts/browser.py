"""Prints the path of a Chromium, which the tests of the dashboard's page drive.

    scripts/browser

One that is on the PATH is used as it is. Where there is none, on Debian as root, it is fetched
from the distribution's packages into .engine/ (once); nothing is installed on the machine.
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
NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without a font a page has no text.
PACKAGES = ("chromium", "fonts-liberation")
# PulseAudio's has one of its own beside those that all share.
LIBRARIES = ("usr/lib/*-linux-*", "lib/*-linux-*", "usr/lib/*-linux-*/pulseaudio")
NO_BROWSER = 3

WRAPPER = """\
#!/bin/sh
# Chromium with the libraries and fonts that were fetched beside it.
export LD_LIBRARY_PATH={libraries} FONTCONFIG_FILE={fonts}
exec {program} "$@"
"""
FONTS = """\
<?xml version="1.0"?>
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <dir>{root}/usr/share/fonts</dir>
  <cachedir>{root}/var/cache/fontconfig</cachedir>
  <alias binding="same"><family>monospace</family><prefer><family>Liberation Mono</family></prefer></alias>
  <match><edit name="family" mode="append_last" binding="strong"><string>Liberation Sans</string></edit></match>
</fontconfig>
"""


def main() -> int:
    """Print the path, or what a person has to mend."""
    argparse.ArgumentParser(
        prog="scripts/browser", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    try:
        print(next(filter(None, map(shutil.which, NAMES)), None) or fetched())
    except SetupError as error:
        print(f"scripts/browser: {error}", file=sys.stderr)
        return NO_BROWSER
    except KeyboardInterrupt:
        return 130
    return 0


def fetched() -> Path:
    """The Chromium below .engine/, fetched where it isn't there yet. Raises SetupError."""
    root = HOME / "chromium"
    wrapper = root / "run"
    HOME.mkdir(exist_ok=True)
    # The engine's, which fetches packages to the same place.
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wrapper.is_file():
            fetch(root)
            write(wrapper, root)
    return wrapper


def fetch(root: Path) -> None:
    """Unpack Chromium and what it needs. Raises SetupError."""
    release = this_release()
    if release is None or release.distribution != "debian" or os.geteuid() != 0:
        raise SetupError(
            f"none of {', '.join(NAMES)} is on the PATH, and one can be fetched only on Debian, as root. "
            "Install Chromium or Chrome."
        )
    print("fetching Chromium's packages into .engine/ (once)", file=sys.stderr)
    Packages(HOME, release).unpack(PACKAGES, testing=(), into=root)


def write(wrapper: Path, root: Path) -> None:
    """Write the program that starts it; it is there complete or not at all."""
    fonts = root / "fonts.conf"
    fonts.write_text(FONTS.format(root=root))
    folders = (folder for pattern in LIBRARIES for folder in root.glob(pattern))
    libraries = ":".join(map(str, folders))
    fresh = wrapper.with_suffix(".new")
    fresh.write_text(
        WRAPPER.format(
            libraries=shlex.quote(libraries),
            fonts=shlex.quote(str(fonts)),
            program=shlex.quote(str(root / "usr/lib/chromium/chromium")),
        )
    )
    fresh.chmod(0o755)
    fresh.rename(wrapper)


if __name__ == "__main__":
    sys.exit(main())
