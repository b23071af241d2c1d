"""The Docker Engine this checkout builds with: the one that answers, or a private one.

    scripts/engine start [--store overlay2|containerd]   make sure that one answers
    scripts/engine status                                what runs; exit 0, or 3 if nothing does
    scripts/engine stop [--store ...]                    end the private one(s) of this checkout
    eval "$(scripts/engine env [--store ...])"           DOCKER_HOST, and PATH to the programs

Where DOCKER_HOST or the current docker context names an engine that answers, it is used as it
is. Where none does, on Debian or Ubuntu as root, start makes a private one below .engine/: its
programs are fetched from the distribution's packages, nothing is installed on the machine.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from machine.answer import Answer, ask_surroundings
from machine.client import link_iptables, write_programs
from machine.daemon import STORES, Daemon
from machine.debian import Packages, Release, this_release
from machine.errors import SetupError

HOME = Path(__file__).resolve().parent.parent / ".engine"
NO_ENGINE = 3


def main() -> int:
    """Parse, run, and print what a person has to mend."""
    parser = argparse.ArgumentParser(
        prog="scripts/engine", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("command", choices=("start", "stop", "status", "env"))
    parser.add_argument("--store", choices=STORES, help="image store (start: overlay2)")
    arguments = parser.parse_args()
    commands = {"start": start, "stop": stop, "status": status, "env": env}
    try:
        return commands[arguments.command](arguments.store)
    except SetupError as error:
        print(f"scripts/engine: {error}", file=sys.stderr)
        return NO_ENGINE
    except PermissionError as error:
        print(f"scripts/engine: {error}; run it as the user who started the engine", file=sys.stderr)
        return NO_ENGINE
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(
            f"scripts/engine: the disk that holds {HOME} is full. Make room there, then run this again.",
            file=sys.stderr,
        )
        return NO_ENGINE
    except KeyboardInterrupt:
        return 130


def start(store: str | None) -> int:
    """Make sure that an engine answers."""
    if found := _foreign(store):
        _say(f"{_where(found)} answers (Docker {found.version}, {found.store}): it is used as it is")
        return 0
    daemon = Daemon(HOME, store or STORES[0])
    answer = daemon.answer()
    if answer is None:
        release = _release()
        with _alone():
            answer = daemon.answer() or _start(daemon, release)
    daemon.mend()
    write_programs(HOME)
    _say(f"Docker {answer.version} ({answer.store}) answers on {daemon.socket}")
    return 0


def _start(daemon: Daemon, release: Release) -> Answer:
    if host := os.environ.get("DOCKER_HOST"):
        _say(f"nothing answers at DOCKER_HOST={host}")
    if not daemon.fetched:
        _fetch(release)
    link_iptables(HOME)
    _say(f"starting a private Docker Engine, image store {daemon.store}")
    return daemon.start()


def stop(store: str | None) -> int:
    """End the private engines of this checkout: this store's, or all."""
    if not HOME.is_dir():
        return 0
    with _alone():
        for each in (store,) if store else STORES:
            daemon = Daemon(HOME, each)
            if daemon.data.is_dir() and daemon.stop():
                _say(f"stopped the private engine with image store {each}")
    return 0


def status(store: str | None) -> int:
    """Say what answers."""
    lines = [
        f"private engine: Docker {answer.version}, image store {answer.store}, "
        f"pid {daemon.pid()}, {answer.host}"
        for daemon, answer in _private(store)
    ]
    if found := _foreign(store):
        lines.append(f"{_where(found)}: Docker {found.version}, image store {found.store}")
    print("\n".join(lines or ["no engine answers; `scripts/engine start` starts one"]))
    return 0 if lines else NO_ENGINE


def env(store: str | None) -> int:
    """Print what a shell needs to use the engine."""
    if found := _foreign(store):
        if found.host:
            print(f"export DOCKER_HOST={shlex.quote(found.host)}")
        return 0
    private = _private(store)
    if not private:
        raise SetupError("no engine answers; `scripts/engine start` starts one")
    daemon, answer = private[0]
    print(f"export DOCKER_HOST={shlex.quote(str(answer.host))}")
    programs = str(daemon.home / "bin")
    if programs not in os.environ.get("PATH", "").split(":"):
        print(f'export PATH={shlex.quote(programs)}:"$PATH"')
    return 0


def _private(store: str | None) -> list[tuple[Daemon, Answer]]:
    daemons = [Daemon(HOME, each) for each in STORES if store in (None, each)]
    return [(each, answer) for each in daemons if (answer := each.answer())]


def _foreign(store: str | None) -> Answer | None:
    """An engine that answers and isn't ours; with a store asked for, only one that has it."""
    ours = [f"unix://{Daemon(HOME, each).socket}" for each in STORES]
    if os.environ.get("DOCKER_HOST") in ours:
        return None
    found = ask_surroundings()
    return found if found and store in (None, found.store) else None


def _release() -> Release:
    """What runs here. Raises SetupError where a private engine can't be made."""
    release = this_release()
    if release is None or os.geteuid() != 0:
        raise SetupError(
            "no Docker Engine answers here. A private one can be made only on Debian or Ubuntu, as "
            "root. Install Docker Engine 23 or newer (on macOS or Windows: Docker Desktop), start "
            "it, or point DOCKER_HOST at one that runs."
        )
    return release


def _fetch(release: Release) -> None:
    _say("fetching Docker Engine's packages into .engine/ (once)")
    if release.distribution == "ubuntu":
        programs: tuple[str, ...] = ("docker.io", "docker-buildx", "docker-compose-v2")
    else:
        programs = ("docker.io", "docker-cli", "docker-buildx", "docker-compose", "containerd")
    present = {"runc": "runc", "iptables": "iptables", "iproute2": "ip"}
    missing = tuple(package for package, program in present.items() if not shutil.which(program))
    Packages(HOME, release).unpack((*missing, "dnsmasq-base"), testing=programs, into=HOME / "root")


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the checkout's lock, so that concurrent starts and stops take turns."""
    try:
        HOME.mkdir(exist_ok=True)
    except FileExistsError:
        raise SetupError(
            f"{HOME} is a file, and the private engine keeps its state in a folder of that name. "
            "Move the file away, then run this again."
        ) from None
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _where(found: Answer) -> str:
    return f"the engine at {found.host}" if found.host else "the engine of the docker context"


def _say(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
