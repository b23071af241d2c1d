"""One private dockerd: its files, its start, its end."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from machine import network
from machine.answer import Answer, ask_socket
from machine.errors import SetupError
from machine.processes import end, end_containers, living, wait
from machine.resolver import Resolver

STORES = ("overlay2", "containerd")

MACHINE_LOCK = Path("/run/streamflow-engine.lock")
START_SECONDS = 90
LEAST_SPACE = 4 * 1024 * 1024
STOP_SECONDS = 40
# containerd refuses a socket's path of more bytes, and this is its longest.
LONGEST_RUN_PATH = 104 - len("/exec/containerd/containerd-debug.sock")


@dataclass(frozen=True, slots=True)
class Daemon:
    """A dockerd with one image store, and everything it owns below `home`/`store`."""

    home: Path
    store: str

    @property
    def data(self) -> Path:
        """Images, containers, log and settings."""
        return self.home / self.store

    @property
    def run(self) -> Path:
        """Sockets and pid file; elsewhere when a socket's path would be too long here."""
        here = self.data / "run"
        if len(str(here)) <= LONGEST_RUN_PATH:
            return here
        digest = hashlib.sha256(str(self.home).encode()).hexdigest()[:12]
        return Path(f"/run/streamflow-engine-{digest}-{self.store}")

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.run / "docker.sock"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.data / "dockerd.log"

    @property
    def root(self) -> Path:
        """The unpacked programs."""
        return self.home / "root"

    @property
    def fetched(self) -> bool:
        """Whether all its programs are unpacked."""
        return (self.root / "usr/sbin/dnsmasq").is_file()

    def answer(self) -> Answer | None:
        """What it is, when it runs and answers."""
        return ask_socket(str(self.socket)) if self.socket.exists() else None

    def pid(self) -> int | None:
        """Its process, when it runs. A pid file that outlived its process counts for nothing."""
        return living(self.run / "docker.pid", "dockerd", str(self._settings))

    def start(self) -> Answer:
        """Start it and wait until it answers. Raises SetupError with the end of its log."""
        if pid := self.pid():
            found = wait(self.answer, START_SECONDS)
            if found:
                return found
            raise SetupError(
                f"The private engine, process {pid}, has not answered for {START_SECONDS} s. "
                f"`scripts/engine stop` ends it; {self.log} may say why."
            )
        self._clear_remains()
        for folder in (self.data, self.run):
            folder.mkdir(parents=True, exist_ok=True)
        _mount_cgroups()
        # Two checkouts that start at the same time would choose the same addresses.
        with MACHINE_LOCK.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            process = self._launch()
            found = wait(self.answer, START_SECONDS, until_dead=process)
        if not found:
            if process.poll() is None:
                process.terminate()
                process.wait(STOP_SECONDS)
            self._clear_remains()
            raise SetupError(f"The private engine did not start. {self._why()}")
        return found

    def _why(self) -> str:
        """What kept it from starting, and what to do."""
        if shutil.disk_usage(self.data).free < LEAST_SPACE:
            return (
                f"The disk that holds {self.data} is full. Make room there and run "
                "`scripts/engine start` again."
            )
        said = _tail(self.log) or "(it is empty)"
        return (
            f"The end of {self.log}:\n{said}\nFix what it names and run "
            "`scripts/engine start` again, or install Docker Engine 23 or newer yourself and point DOCKER_HOST at it."
        )

    def mend(self) -> None:
        """Start its name server again where that has died. Raises SetupError."""
        chosen = network.recorded(self.data)
        settings = json.loads(self._settings.read_text())
        if chosen and "dns" in settings and not self._resolver.running():
            self._resolver.start(chosen.host, self.environment())

    def stop(self) -> bool:
        """End it, its containerd and its mounts; False when it wasn't running."""
        pid = self.pid()
        if pid:
            end(pid)
        self._clear_remains()
        return pid is not None

    def environment(self) -> dict[str, str]:
        """Environment of the daemon and of the programs it calls."""
        root = self.root
        paths = [self.home / "sbin", root / "usr/sbin", root / "usr/bin", root / "sbin", root / "bin"]
        libraries = [*root.glob("usr/lib/*-linux-*"), *root.glob("lib/*-linux-*")]
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "NOTIFY_"))}
        kept["PATH"] = ":".join([*map(str, paths), kept.get("PATH", os.defpath),
                                 "/usr/local/sbin:/usr/sbin:/sbin"])  # fmt: skip
        kept["LD_LIBRARY_PATH"] = ":".join(map(str, libraries))
        for extensions in root.glob("usr/lib/*/xtables"):
            kept["XTABLES_LIBDIR"] = str(extensions)
        return kept

    def _launch(self) -> subprocess.Popen[bytes]:
        environment = self.environment()
        before = network.recorded(self.data)
        chosen = network.choose(self.data, environment)
        if not before or before.pool != chosen.pool:
            # What Docker remembers of its networks counts for more with it than the bridge's address does.
            shutil.rmtree(self.data / "data/network", ignore_errors=True)
        network.raise_bridge(chosen, environment)
        asked = self._name_server(chosen, environment)
        self._settings.write_text(json.dumps(self._settings_for(chosen) | asked, indent=2))
        _raise_file_limit()
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [
                    self._program("dockerd"),
                    "--config-file", str(self._settings),
                    f"--iptables={str(chosen.docker_filters).lower()}",
                ],
                cwd="/",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )  # fmt: skip

    @property
    def _resolver(self) -> Resolver:
        return Resolver(self.run, self._program("dnsmasq"))

    def _name_server(self, chosen: network.Network, environment: dict[str, str]) -> dict[str, object]:
        """The setting that makes containers ask a name server of their own; none where it is not available."""
        try:
            self._resolver.start(chosen.host, environment)
        except SetupError as error:
            print(f"{error} Containers ask this machine's own name servers.", file=sys.stderr)
            return {}
        return {"dns": [chosen.host]}

    @property
    def _settings(self) -> Path:
        return self.data / "daemon.json"

    def _settings_for(self, chosen: network.Network) -> dict[str, object]:
        return {
            "hosts": [f"unix://{self.socket}"],
            "data-root": str(self.data / "data"),
            "exec-root": str(self.run / "exec"),
            "pidfile": str(self.run / "docker.pid"),
            "bridge": chosen.bridge,
            "mtu": chosen.mtu,
            # A lost answer costs a step of a build a second, not the default five.
            "dns-opts": ["timeout:1", "attempts:6"],
            "default-network-opts": {"bridge": {"com.docker.network.driver.mtu": str(chosen.mtu)}},
            "default-address-pools": [{"base": chosen.user_networks, "size": 24}],
            "ip6tables": False,
            "userland-proxy-path": self._program("docker-proxy"),
            "features": {"containerd-snapshotter": self.store == "containerd"},
            "shutdown-timeout": 10,
        }

    def _program(self, name: str) -> str:
        for folder in ("usr/sbin", "usr/bin"):
            if (self.root / folder / name).is_file():
                return str(self.root / folder / name)
        return name

    def _clear_remains(self) -> None:
        """Remove what a dead engine leaves: containerd, mounts, pid files, bridge and rules."""
        containerd = self.run / "exec/containerd"
        orphan = living(containerd / "containerd.pid", "containerd", str(containerd / "containerd.toml"))
        if orphan:
            end(orphan)
        if not self.pid():
            end_containers(self.data, containerd / "containerd.sock")
        self._resolver.stop()
        places = (str(self.data) + "/", str(self.run) + "/")
        lines = Path("/proc/self/mounts").read_text().splitlines()
        mounts = [line.split()[1].replace("\\040", " ") for line in lines]
        unmounted = [
            subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False).returncode == 0
            for mount in sorted((m for m in mounts if m.startswith(places)), reverse=True)
        ]
        if all(unmounted):
            shutil.rmtree(self.run, ignore_errors=True)
        chosen = network.recorded(self.data)
        if chosen:
            network.remove_bridge(chosen, self.environment())


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _raise_file_limit() -> None:
    """Containers inherit the daemon's limit, and a shell's is too low for some."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _mount_cgroups() -> None:
    """Mount cgroup 2 where the machine has no control groups mounted at all."""
    mounts = Path("/proc/self/mounts").read_text()
    if " cgroup" in mounts or not Path("/sys/fs/cgroup").is_dir():
        return
    subprocess.run(["mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup"],
                   capture_output=True, check=False)  # fmt: skip
