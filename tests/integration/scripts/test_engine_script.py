"""scripts/engine: a real private engine beside whatever runs here, seen from outside."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import socket as sockets
import struct
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from .conftest import PROJECT, Checkout, make_checkout

STARTED = """\
nothing answers at DOCKER_HOST=unix:///nonexistent/docker.sock
starting a private Docker Engine, image store {store}
Docker {version} ({store}) answers on {socket}
"""
NOTHING = "no engine answers; `scripts/engine start` starts one\n"
FETCH = (
    "docker run --rm -e PIP_CERT=/ca.crt -e PIP_INDEX_URL -v /etc/ssl/certs/ca-certificates.crt:/ca.crt:ro "
    "{options} python:3.11-slim pip download --quiet --no-deps --dest /tmp six && echo fetched"
)


def socket_of(checkout: Checkout, store: str = "overlay2") -> str:
    settings = json.loads((checkout.state / store / "daemon.json").read_text())
    return str(settings["hosts"][0].removeprefix("unix://"))


def version_at(host: str) -> str:
    done = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"],
        env={**os.environ, "DOCKER_HOST": host},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def processes(checkout: Checkout) -> list[int]:
    """Living processes that were started with a path of this checkout's engine."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text()
        except OSError:
            continue
        if str(checkout.state) in command and "dockerd" in command.partition("\0")[0]:
            found.append(int(process.name))
    return found


def sleepers(seconds: str) -> list[int]:
    """Processes of `sleep` for so many seconds."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text()
        except OSError:
            continue
        if command == f"sleep\0{seconds}\0":
            found.append(int(process.name))
    return found


def answers(server: str, name: str) -> int:
    """How many records the name server has for the name: RFC 1035, section 4.1."""
    asked = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    with sockets.socket(sockets.AF_INET, sockets.SOCK_DGRAM) as client:
        client.settimeout(5)
        for _ in range(5):
            client.sendto(struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + asked + b"\0\0\1\0\1", (server, 53))
            with suppress(TimeoutError):
                return int(struct.unpack(">4H", client.recv(512)[:8])[3])
    raise AssertionError(f"{server} does not answer")


def input_rules() -> str:
    """Which packets for this machine itself are taken."""
    root = PROJECT / ".engine/root"
    libraries = ":".join(map(str, root.glob("usr/lib/*-linux-*")))
    environ = {
        **os.environ,
        "PATH": f"{os.environ['PATH']}:/usr/sbin:{PROJECT}/.engine/sbin:{root}/usr/sbin",
        "LD_LIBRARY_PATH": libraries,
    }
    for extensions in root.glob("usr/lib/*/xtables"):
        environ["XTABLES_LIBDIR"] = str(extensions)
    command = ["env", "iptables", "--list-rules", "INPUT"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout


def without_dnsmasq(checkout: Checkout) -> None:
    """Make the checkout's programs those that were fetched, but for a dnsmasq that doesn't work."""
    fetched, own = PROJECT / ".engine/root", checkout.state / "root"
    own.unlink()
    for folder in ("", "usr", "usr/sbin"):
        (own / folder).mkdir()
        for entry in (fetched / folder).iterdir():
            if (path := entry.relative_to(fetched).as_posix()) not in {"usr", "usr/sbin", "usr/sbin/dnsmasq"}:
                (own / path).symlink_to(entry)
    broken = own / "usr/sbin/dnsmasq"
    broken.write_text("#!/bin/sh\necho it is broken >&2\nexit 1\n")
    broken.chmod(0o755)


def pid_in(status: str) -> int:
    found = re.search(r"pid (\d+)", status)
    assert found
    return int(found[1])


def bases(checkout: Checkout, store: str = "overlay2") -> None:
    done = checkout.run(
        "bases", "--config", str(PROJECT / "streamflow.yaml"), host=f"unix://{socket_of(checkout, store)}"
    )
    assert done.returncode == 0, done.stderr


class TestEngineThatAnswers:
    def test_it_is_used_as_it_is(self, checkout: Checkout) -> None:
        host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        (checkout.state / "none").mkdir()
        before = sorted(checkout.state.rglob("*"))
        version = version_at(host)
        store = checkout.run("engine", "status", host=host).stdout.split()[-1]

        started = checkout.run("engine", "start", host=host)

        assert (started.returncode, started.stdout) == (0, "")
        assert started.stderr == (
            f"the engine at {host} answers (Docker {version}, {store}): it is used as it is\n"
        )
        assert checkout.run("engine", "env", host=host).stdout == f"export DOCKER_HOST={host}\n"
        assert checkout.run("engine", "status", host=host).stdout == (
            f"the engine at {host}: Docker {version}, image store {store}\n"
        )
        assert sorted(checkout.state.rglob("*")) == before


class TestNoEngine:
    def test_status_and_env_say_so(self, checkout: Checkout) -> None:
        status, env = checkout.run("engine", "status"), checkout.run("engine", "env")
        assert (status.returncode, status.stdout, status.stderr) == (3, NOTHING, "")
        assert (env.returncode, env.stdout, env.stderr) == (3, "", f"scripts/engine: {NOTHING}")

    def test_stop_has_nothing_to_do(self, checkout: Checkout) -> None:
        stopped = checkout.run("engine", "stop")
        assert (stopped.returncode, stopped.stdout, stopped.stderr) == (0, "", "")

    @pytest.mark.usefixtures("able")
    def test_a_file_in_its_folders_place_is_named(self, tmp_path: Path) -> None:
        checkout = make_checkout(tmp_path / "checkout")
        shutil.rmtree(checkout.state)
        checkout.state.write_text("")
        started = checkout.run("engine", "start")
        assert started.returncode == 3
        assert started.stderr == (
            f"scripts/engine: {checkout.state} is a file, and the private engine keeps its state in a "
            "folder of that name. Move the file away, then run this again.\n"
        )

    @pytest.mark.parametrize("record", ["", "{]", "[]", "{}"])
    def test_a_spoilt_record_of_its_network_counts_for_nothing(self, checkout: Checkout, record: str) -> None:
        (checkout.state / "overlay2").mkdir()
        (checkout.state / "overlay2/network.json").write_text(record)
        stopped = checkout.run("engine", "stop")
        assert (stopped.returncode, stopped.stdout, stopped.stderr) == (0, "", "")

    def test_a_stranger_told_of_its_settings_is_left_alone(self) -> None:
        with tempfile.TemporaryDirectory(prefix="sf") as short:
            checkout = make_checkout(Path(short) / "own")
            run = checkout.state / "overlay2/run"
            run.mkdir(parents=True)
            settings = checkout.state / "overlay2/daemon.json"
            settings.write_text("{}")
            with subprocess.Popen(["tail", "-f", str(settings)], stdout=subprocess.DEVNULL) as stranger:
                try:
                    (run / "docker.pid").write_text(str(stranger.pid))
                    assert checkout.run("engine", "stop").stderr == ""
                    assert stranger.poll() is None
                finally:
                    stranger.kill()

    @pytest.mark.usefixtures("able")
    def test_an_old_record_takes_no_other_engines_bridge(self, checkout: Checkout) -> None:
        (checkout.state / "overlay2").mkdir()
        old = {"bridge": "sfold0000000", "pool": "10.251", "docker_filters": True, "mtu": 1500}
        (checkout.state / "overlay2/network.json").write_text(json.dumps(old))
        subprocess.run(["ip", "link", "add", "sfother", "type", "bridge"], check=True)
        try:
            subprocess.run(["ip", "address", "add", "10.251.0.1/24", "dev", "sfother"], check=True)
            assert checkout.run("engine", "stop").returncode == 0
            assert Path("/sys/class/net/sfother").exists()
        finally:
            subprocess.run(["ip", "link", "delete", "sfother"], check=False)

    def test_elsewhere_it_says_what_to_install(self, checkout: Checkout, tmp_path: Path) -> None:
        programs = tmp_path / "bin"
        programs.mkdir()
        (programs / "python3.11").symlink_to(PROJECT / ".venv/bin/python")
        (programs / "dirname").symlink_to("/usr/bin/dirname")

        started = checkout.run("engine", "start", env={"PATH": str(programs)})

        assert (started.returncode, started.stdout) == (3, "")
        assert started.stderr == (
            "scripts/engine: no Docker Engine answers here. A private one can be made only on Debian or "
            "Ubuntu, as root. Install Docker Engine 23 or newer (on macOS or Windows: Docker Desktop), "
            "start it, or point DOCKER_HOST at one that runs.\n"
        )

    def test_an_unknown_store_is_refused(self, checkout: Checkout) -> None:
        started = checkout.run("engine", "start", "--store", "zfs")
        assert started.returncode == 2
        assert started.stderr.endswith(
            "argument --store: invalid choice: 'zfs' (choose from 'overlay2', 'containerd')\n"
        )


@pytest.mark.usefixtures("able")
class TestPrivateEngine:
    @pytest.mark.parametrize("store", ["overlay2", "containerd"])
    def test_it_starts_serves_and_ends(self, checkout: Checkout, store: str) -> None:
        started = checkout.run("engine", "start", "--store", store)
        assert started.returncode == 0, started.stderr
        socket = socket_of(checkout, store)
        version = version_at(f"unix://{socket}")
        assert started.stderr == STARTED.format(store=store, version=version, socket=socket)

        status = checkout.run("engine", "status")
        pid = pid_in(status.stdout)
        assert (status.returncode, status.stdout) == (
            0,
            f"private engine: Docker {version}, image store {store}, pid {pid}, unix://{socket}\n",
        )
        assert checkout.run("engine", "env").stdout == (
            f'export DOCKER_HOST=unix://{socket}\nexport PATH={checkout.state}/bin:"$PATH"\n'
        )
        assert checkout.shell("docker version --format '{{.Server.Version}}'", store) == f"{version}\n"
        assert "buildx" in checkout.shell("docker buildx version; docker-buildx version", store)
        assert "Compose" in checkout.shell("docker compose version; docker-compose version", store)

        stopped = checkout.run("engine", "stop")
        assert stopped.stderr == f"stopped the private engine with image store {store}\n"
        assert processes(checkout) == []
        assert not Path(socket).exists()
        assert str(checkout.state) not in Path("/proc/self/mounts").read_text()
        bridge = json.loads((checkout.state / store / "network.json").read_text())["bridge"]
        assert not Path("/sys/class/net", bridge).exists()

    @pytest.mark.parametrize("length", [66, 67])
    def test_it_starts_where_sockets_have_just_short_enough_and_too_long_paths(self, length: int) -> None:
        with tempfile.TemporaryDirectory(prefix="sf") as short:
            padding = length - len(f"{short}//.engine/overlay2/run")
            checkout = make_checkout(Path(short) / ("x" * padding))
            try:
                started = checkout.run("engine", "start")
                assert started.returncode == 0, started.stderr
                inside = socket_of(checkout).startswith(str(checkout.state))
                assert inside == (length == 66)
            finally:
                assert checkout.run("engine", "stop").returncode == 0

    def test_its_docker_keeps_the_log_ins_where_the_user_has_them(
        self, checkout: Checkout, tmp_path: Path
    ) -> None:
        checkout.run("engine", "start")
        own = tmp_path / "home/.docker"
        own.mkdir(parents=True)
        (own / "config.json").write_text('{"auths": {"localhost:1": {"auth": "dTpw"}}}')
        for home in (tmp_path / "nobody", own.parent):
            checkout.shell(f"HOME={home} docker buildx version; HOME={home} docker logout localhost:1")
        assert json.loads((own / "config.json").read_text()) == {"auths": {}}
        assert not (tmp_path / "nobody").exists()

    def test_its_containers_ask_a_name_server_of_its_own(self, checkout: Checkout) -> None:
        assert checkout.run("engine", "start").returncode == 0
        pool = json.loads((checkout.state / "overlay2/network.json").read_text())["pool"]
        settings = json.loads((checkout.state / "overlay2/daemon.json").read_text())

        assert settings["dns"] == [f"{pool}.0.1"]
        assert answers(f"{pool}.0.1", "deb.debian.org") > 0
        assert f"-d {pool}.0.1/32 -p udp -m udp --dport 53 -j ACCEPT" in input_rules()

        os.kill(int(Path(settings["pidfile"]).with_name("dnsmasq.pid").read_text()), signal.SIGKILL)
        assert checkout.run("engine", "start").returncode == 0
        assert answers(f"{pool}.0.1", "deb.debian.org") > 0

        assert checkout.run("engine", "stop").returncode == 0
        assert processes(checkout) == []
        assert f"{pool}.0.1/32" not in input_rules()

    def test_where_its_name_server_cannot_be_had_it_does_without(self, checkout: Checkout) -> None:
        without_dnsmasq(checkout)
        started = checkout.run("engine", "start")
        assert started.returncode == 0
        assert (
            "The private engine's name server did not start: it is broken. "
            "Containers ask this machine's own name servers.\n"
        ) in started.stderr
        assert "dns" not in json.loads((checkout.state / "overlay2/daemon.json").read_text())
        assert checkout.run("engine", "start").returncode == 0

    def test_a_second_start_uses_the_first(self, checkout: Checkout) -> None:
        checkout.run("engine", "start")
        socket = socket_of(checkout)
        again = checkout.run("engine", "start")
        assert (again.returncode, again.stderr) == (
            0,
            f"Docker {version_at(f'unix://{socket}')} (overlay2) answers on {socket}\n",
        )

    def test_concurrent_starts_make_one(self, checkout: Checkout) -> None:
        starts = [
            subprocess.Popen(
                [str(checkout.folder / "scripts/engine"), "start"],
                env={**os.environ, "DOCKER_HOST": "unix:///nonexistent/docker.sock"},
                stderr=subprocess.DEVNULL,
            )
            for _ in range(3)
        ]
        assert [each.wait(120) for each in starts] == [0, 0, 0]
        assert len(processes(checkout)) == 1

    def test_it_starts_again_after_being_killed(self, checkout: Checkout) -> None:
        checkout.run("engine", "start")
        pid = pid_in(checkout.run("engine", "status").stdout)
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while checkout.run("engine", "status").returncode == 0:
            assert time.monotonic() < deadline
        again = checkout.run("engine", "start")
        assert again.returncode == 0, again.stderr
        assert pid_in(checkout.run("engine", "status").stdout) != pid

    def test_it_moves_where_its_addresses_have_been_taken_meanwhile(self, checkout: Checkout) -> None:
        checkout.run("engine", "start")
        record = checkout.state / "overlay2/network.json"
        before = json.loads(record.read_text())["pool"]
        checkout.run("engine", "stop")
        link = f"sf{secrets.token_hex(4)}"
        subprocess.run(["ip", "link", "add", link, "type", "bridge"], check=True)
        try:
            subprocess.run(["ip", "address", "add", f"{before}.0.1/24", "dev", link], check=True)
            subprocess.run(["ip", "link", "set", link, "up"], check=True)
            assert checkout.run("engine", "start").returncode == 0
            after = json.loads(record.read_text())["pool"]
            assert after != before
            subnet = "docker network inspect bridge --format '{{range .IPAM.Config}}{{.Subnet}}{{end}}'"
            assert checkout.shell(subnet) == f"{after}.0.0/24\n"
            assert answers(f"{after}.0.1", "deb.debian.org") > 0
        finally:
            subprocess.run(["ip", "link", "delete", link], check=True)

    def test_what_ran_in_it_ends_with_it_though_it_was_killed(self, checkout: Checkout) -> None:
        checkout.run("engine", "start")
        bases(checkout)
        context = checkout.folder / "context"
        context.mkdir()
        (context / "Dockerfile").write_text("FROM python:3.11-slim\nRUN sleep 86311\n")
        checkout.shell("docker run -d python:3.11-slim sleep 86311")
        with subprocess.Popen(
            [str(checkout.state / "bin/docker"), "build", str(context)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "DOCKER_HOST": f"unix://{socket_of(checkout)}"},
        ) as build:
            try:
                deadline = time.monotonic() + 60
                while len(sleepers("86311")) < 2:
                    assert time.monotonic() < deadline
                os.kill(pid_in(checkout.run("engine", "status").stdout), signal.SIGKILL)
            finally:
                build.kill()
        again = checkout.run("engine", "start")
        assert again.returncode == 0, again.stderr
        assert sleepers("86311") == []

    def test_it_works_below_a_folder_with_a_quote_in_its_name(self, tmp_path: Path) -> None:
        checkout = make_checkout(tmp_path / "it's mine")
        try:
            started = checkout.run("engine", "start")
            assert started.returncode == 0, started.stderr
            assert checkout.shell("docker version --format '{{.Server.Os}}'") == "linux\n"
        finally:
            assert checkout.run("engine", "stop").returncode == 0

    def test_another_process_with_its_old_number_is_left_alone(self, checkout: Checkout) -> None:
        checkout.run("engine", "start")
        run = Path(socket_of(checkout)).parent
        checkout.run("engine", "stop")
        run.mkdir(parents=True)
        (run / "docker.pid").write_text(str(os.getpid()))
        assert checkout.run("engine", "stop").stderr == ""
        run.mkdir(parents=True)
        (run / "docker.pid").write_text(str(os.getpid()))
        assert checkout.run("engine", "start").returncode == 0

    def test_one_that_cannot_start_shows_the_end_of_its_log(self, checkout: Checkout) -> None:
        checkout.run("engine", "start")
        checkout.run("engine", "stop")
        root = checkout.state / "root"
        real = root.resolve()
        if root.is_symlink():
            root.unlink()
            (root / "usr/sbin").mkdir(parents=True)
            for each in (real / "usr").iterdir():
                if each.name != "sbin":
                    (root / "usr" / each.name).symlink_to(each)
            for each in (real / "usr/sbin").iterdir():
                (root / "usr/sbin" / each.name).symlink_to(each)
        (root / "usr/sbin/dockerd").unlink()
        (root / "usr/sbin/dockerd").write_text("#!/bin/sh\necho the disk is full\nexit 1\n")
        (root / "usr/sbin/dockerd").chmod(0o755)
        log = checkout.state / "overlay2/dockerd.log"
        log.unlink()

        started = checkout.run("engine", "start")

        assert started.returncode == 3
        assert started.stderr == (
            "nothing answers at DOCKER_HOST=unix:///nonexistent/docker.sock\n"
            "starting a private Docker Engine, image store overlay2\n"
            f"scripts/engine: The private engine did not start. The end of {log}:\nthe disk is full\n"
            "Fix what it names and run `scripts/engine start` again, or install Docker Engine 23 or newer "
            "yourself and point DOCKER_HOST at it.\n"
        )
        assert checkout.run("engine", "status").returncode == 3

    def test_two_have_network_at_the_same_time_and_after_one_ends(self, checkout: Checkout) -> None:
        for store in ("overlay2", "containerd"):
            assert checkout.run("engine", "start", "--store", store).returncode == 0
            bases(checkout, store)
        for store in ("overlay2", "containerd"):
            assert checkout.shell(FETCH.format(options=""), store) == "fetched\n"
            checkout.shell("docker network create own", store)
            assert checkout.shell(FETCH.format(options="--network own"), store) == "fetched\n"

        checkout.run("engine", "stop", "--store", "overlay2")
        assert checkout.shell(FETCH.format(options="--network own"), "containerd") == "fetched\n"

        checkout.run("engine", "start", "--store", "overlay2")
        for store in ("overlay2", "containerd"):
            assert checkout.shell(FETCH.format(options="--network own"), store) == "fetched\n"
