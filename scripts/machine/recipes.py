"""Stand-ins for images, one recipe each: what to add to a bare Debian, and how it starts."""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass
from pathlib import Path

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


def server(user: str, shape: str) -> str:
    """A shape for a program that serves: `user` ("name uid gid") runs it, `entrypoints`/name.sh starts it.

    A server's package depends on what a container has no use for (init scripts, log rotation, perl, a
    compiler). So its libraries are installed, and `take PACKAGE FOLDER…` copies its own files.
    """
    name, uid, gid = user.split()
    entry_point = (Path(__file__).parent / "entrypoints" / f"{name}.sh").read_text()
    return f"""\
set -eu
root=$1
archives=$(mktemp --directory)
take() {{
    (cd "$archives" && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get --quiet download "$1")
    package=$1
    shift
    dpkg-deb --fsys-tarfile "$archives/$package"_*.deb | tar --extract --directory "$root" "$@"
}}
# Numbers and all, since a folder of the host that is mounted belongs to them.
chroot "$root" groupadd --system --gid {gid} {name}
chroot "$root" useradd --system --uid {uid} --gid {name} --no-create-home --home-dir /var/lib/{name} {name}
{shape}rm -r "$archives"
cat > "$root"/usr/local/bin/docker-entrypoint.sh <<'END'
{entry_point}END
chmod 755 "$root"/usr/local/bin/docker-entrypoint.sh
"""


# Without LLVM the just-in-time compiler is off. Text is sorted as in the official image: by en_US.
POSTGRES_SHAPE = """\
take postgresql-client-15 ./usr/lib/postgresql
take postgresql-15 ./usr/lib/postgresql ./usr/share/postgresql
rm -r "$root"/usr/lib/postgresql/15/lib/bitcode "$root"/usr/lib/postgresql/15/lib/llvmjit*
rm -r "$root"/usr/share/postgresql/15/man
sed -i "s/^#listen_addresses = 'localhost'/listen_addresses = '*'/" \
    "$root"/usr/share/postgresql/15/postgresql.conf.sample
take locales ./usr/share/i18n
chroot "$root" localedef --inputfile en_US --charmap UTF-8 en_US.UTF-8
rm -r "$root"/usr/share/i18n
mkdir "$root"/docker-entrypoint-initdb.d
chroot "$root" install --directory --owner postgres --group postgres --mode 1777 \
    /var/lib/postgresql /var/lib/postgresql/data
chroot "$root" install --directory --owner postgres --group postgres --mode 3777 /var/run/postgresql
"""

# In Debian's PATH are wrappers for a machine with an init system.
RABBITMQ_SHAPE = """\
take rabbitmq-server ./usr/lib/rabbitmq
mkdir -p "$root"/etc/rabbitmq/conf.d
echo '[rabbitmq_management,rabbitmq_prometheus].' > "$root"/etc/rabbitmq/enabled_plugins
printf '%s\\n' 'loopback_users.guest = false' 'log.console = true' \
    > "$root"/etc/rabbitmq/conf.d/10-defaults.conf
chroot "$root" install --directory --owner rabbitmq --group rabbitmq --mode 1777 \
    /var/lib/rabbitmq /var/log/rabbitmq
chroot "$root" chown --recursive rabbitmq:rabbitmq /etc/rabbitmq
"""

REDIS_SHAPE = """\
take redis-tools ./usr/bin
take redis-server ./usr/bin
chroot "$root" install --directory --owner redis --group redis /data
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
    Recipe(
        image="postgres:15",
        suite="bookworm",
        packages=("libicu72", "libpq5", "libreadline8", "libxml2", "libxslt1.1", "tzdata"),
        shape=server("postgres 999 999", POSTGRES_SHAPE),
        settings=(
            f"ENV PATH={PATH}:/usr/lib/postgresql/15/bin",
            "ENV LANG=en_US.utf8",
            "ENV PG_MAJOR=15",
            "ENV PGDATA=/var/lib/postgresql/data",
            "VOLUME /var/lib/postgresql/data",
            "EXPOSE 5432",
            # Ends sessions, where SIGTERM would wait for their clients.
            "STOPSIGNAL SIGINT",
            'ENTRYPOINT ["docker-entrypoint.sh"]',
            'CMD ["postgres"]',
        ),
    ),
    Recipe(
        image="rabbitmq:3-management",
        suite="bookworm",
        packages=(
            *(f"erlang-{each}" for each in ("crypto", "eldap", "inets", "mnesia", "os-mon", "parsetools")),
            *(f"erlang-{each}" for each in ("runtime-tools", "ssl", "syntax-tools", "tools", "xmerl")),
            "ca-certificates",
            "tzdata",
        ),
        shape=server("rabbitmq 999 999", RABBITMQ_SHAPE),
        settings=(
            f"ENV PATH=/usr/lib/rabbitmq/bin:{PATH}",
            # Erlang wants UTF-8 in all of them.
            "ENV LANG=C.UTF-8",
            "ENV LANGUAGE=C.UTF-8",
            "ENV LC_ALL=C.UTF-8",
            # Where every user's rabbitmqctl finds the cookie.
            "ENV HOME=/var/lib/rabbitmq",
            "ENV RABBITMQ_DATA_DIR=/var/lib/rabbitmq",
            "VOLUME /var/lib/rabbitmq",
            "EXPOSE 4369 5671 5672 15671 15672 15691 15692 25672",
            'ENTRYPOINT ["docker-entrypoint.sh"]',
            'CMD ["rabbitmq-server"]',
        ),
    ),
    Recipe(
        image="redis:7-alpine",
        suite="bookworm",
        packages=("libatomic1", "libjemalloc2", "liblzf1", "libssl3", "libsystemd0", "tzdata"),
        shape=server("redis 999 1000", REDIS_SHAPE),
        settings=(
            f"ENV PATH={PATH}",
            "WORKDIR /data",
            "VOLUME /data",
            "EXPOSE 6379",
            'ENTRYPOINT ["docker-entrypoint.sh"]',
            'CMD ["redis-server"]',
        ),
    ),
)


def recipe_for(image: str) -> Recipe | None:
    """The recipe that stands in for an image, if there is one."""
    return next((each for each in RECIPES if each.image == image), None)
