"""Stand-ins for base images, one recipe each: what to add to a bare Debian, and how it starts."""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass

LABEL_RECIPE = "org.streamflow.stand-in.recipe"
# A container needs no documentation; later installations leave it out as well.
UNWANTED = ("man", "doc", "locale", "info", "lintian")
# Proxy settings of this machine must not stay in the image.
CLEAN = """\
set -eu
sed -i '/^Acquire::https*::/d' "$1"/etc/apt/apt.conf.d/99mmdebstrap
rm -rf "$1"/var/log/*.log "$1"/var/log/apt/* "$1"/var/cache/debconf/*-old "$1"/var/lib/dpkg/*-old
rm -f "$1"/etc/hostname "$1"/etc/resolv.conf
"""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make an image like `image` from the packages of Debian `suite`.

    `shape` is a shell script that runs outside of the new root, which is its $1. `settings` are
    Dockerfile instructions (ENV, CMD, …) that an import understands.
    """

    image: str
    suite: str
    packages: tuple[str, ...]
    shape: str
    settings: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Changes when the recipe does."""
        return hashlib.sha256(repr((astuple(self), UNWANTED, CLEAN)).encode()).hexdigest()[:12]

    @property
    def labels(self) -> tuple[tuple[str, str], ...]:
        """What tells the stand-in from the real image."""
        return (
            ("org.streamflow.stand-in", "true"),
            (LABEL_RECIPE, self.digest),
            (
                "org.opencontainers.image.description",
                f"Stand-in for {self.image}, made of Debian {self.suite} packages",
            ),
        )


PATH = "/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# The upstream image keeps its Python in /usr/local, lets pip install there, has the headers that C
# extensions are built with, and no bytecode.
PYTHON_SHAPE = """\
set -eu
headers=$(mktemp --directory)
(cd "$headers" && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get --quiet download libpython3.11-dev)
dpkg-deb --fsys-tarfile "$headers"/*.deb | tar --extract --directory "$1" ./usr/include
rm -r "$headers"
rm "$1"/usr/lib/python3.11/EXTERNALLY-MANAGED
chroot "$1" sh -c 'PYTHONDONTWRITEBYTECODE=1 python3.11 "$(echo /usr/share/python-wheels/pip-*.whl)/pip" \
    install --quiet --no-index --no-compile --no-cache-dir --root-user-action=ignore \
    --find-links /usr/share/python-wheels pip'
for name in python python3 python3.11; do ln -s ../../bin/python3.11 "$1/usr/local/bin/$name"; done
find "$1"/usr -name __pycache__ -prune -exec rm -rf '{}' +
"""

RECIPES = (
    Recipe(
        image="python:3.11-slim",
        suite="bookworm",
        packages=("python3.11", "python3.11-venv", "ca-certificates", "netbase", "tzdata"),
        shape=PYTHON_SHAPE,
        settings=(
            f"ENV PATH={PATH}",
            "ENV LANG=C.UTF-8",
            "ENV PYTHON_VERSION=3.11.2",
            'CMD ["python3"]',
        ),
    ),
)


def recipe_for(image: str) -> Recipe | None:
    """The recipe that stands in for an image, if there is one."""
    return next((each for each in RECIPES if each.image == image), None)
