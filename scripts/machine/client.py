"""The docker programs for the person who uses a private engine: `.engine/bin`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

# docker finds plugins only in fixed places and in its configuration directory. So it gets a
# directory with our plugins, in which all else is the user's own (log-ins, contexts).
WRAPPER = """\
#!/bin/sh
# docker with the plugins fetched beside it; configuration and log-ins stay the user's own.
here={home}
mine=${{DOCKER_CONFIG:-$HOME/.docker}}
if [ "$mine" != "$here/config" ]; then
    for part in config.json contexts trust; do
        link=$here/config/$part
        if [ ! -e "$mine/$part" ]; then
            [ ! -L "$link" ] || rm -f "$link"
        elif [ "$(readlink "$link")" != "$mine/$part" ]; then
            ln -sfn "$mine/$part" "$link"
        fi
    done
    for plugin in "$mine"/cli-plugins/docker-*; do
        [ -x "$plugin" ] && [ ! -e "$here/config/cli-plugins/${{plugin##*/}}" ] &&
            ln -sfn "$plugin" "$here/config/cli-plugins/"
    done
    export BUILDX_CONFIG="${{BUILDX_CONFIG:-$mine/buildx}}" DOCKER_CONFIG="$here/config"
fi
exec {program} "$@"
"""


def write_programs(home: Path) -> Path:
    """Write `bin` and `config` below `home` for the programs in `home`/root; returns `bin`."""
    programs, plugins = home / "bin", home / "config/cli-plugins"
    for folder in (programs, plugins):
        folder.mkdir(parents=True, exist_ok=True)
    for plugin in home.glob("root/usr/lib*/docker/cli-plugins/docker-*"):
        _link(programs / plugin.name, plugin)
        _link(plugins / plugin.name, plugin)
    docker = home / "root/usr/bin/docker"
    if docker.is_file():
        fresh = programs / f"docker.{os.getpid()}"
        fresh.write_text(WRAPPER.format(home=shlex.quote(str(home)), program=shlex.quote(str(docker))))
        fresh.chmod(0o755)
        fresh.rename(programs / "docker")
    return programs


def link_iptables(home: Path) -> None:
    """Name the unpacked iptables programs, which a package's own scripts would have named."""
    folder = home / "sbin"
    folder.mkdir(parents=True, exist_ok=True)
    nft = home / "root/usr/sbin/xtables-nft-multi"
    if nft.is_file():
        for name in ("iptables", "iptables-save", "iptables-restore", "ip6tables"):
            _link(folder / name, nft)


def _link(link: Path, target: Path) -> None:
    fresh = link.with_name(f"{link.name}.{os.getpid()}")
    fresh.symlink_to(os.path.relpath(target, link.parent))
    fresh.rename(link)
