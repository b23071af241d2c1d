"""The images of `infrastructure:`, real ones or stand-ins: what a compose file uses of them, seen from outside."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import redis

from .conftest import PROJECT

POSTGRES, RABBITMQ, REDIS = "postgres:15", "rabbitmq:3-management", "redis:7-alpine"
START_SECONDS = 90
COOKIE = "/var/lib/rabbitmq/.erlang.cookie"


@dataclass(frozen=True)
class Container:
    """A container of the test's own, and the engine it runs on."""

    name: str
    environ: dict[str, str]

    def tried(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What `docker` does; all it prints is in `stdout`."""
        return subprocess.run(
            ["docker", *arguments],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )

    def docker(self, *arguments: str) -> str:
        done = self.tried(*arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def execute(self, *command: str) -> str:
        return self.docker("exec", self.name, *command).strip()

    def address(self, port: int) -> tuple[str, int]:
        """Where a published port is reached; a restart changes it."""
        host, _, number = self.docker("port", self.name, str(port)).splitlines()[0].rpartition(":")
        return host, int(number)

    def logs(self) -> str:
        return self.docker("logs", self.name)

    def inspect(self, format_: str) -> str:
        return self.docker("inspect", "--format", format_, self.name).strip()

    def wait(self, *command: str) -> None:
        """Wait until a command succeeds in it. In a container that has ended none will."""
        deadline = time.monotonic() + START_SECONDS
        while self.tried("exec", self.name, *command).returncode != 0:
            assert self.inspect("{{.State.Running}}") == "true", self.logs()
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.2)

    def ended(self) -> int:
        """Its exit code, once it has one."""
        return int(self.docker("wait", self.name))

    def stop(self) -> tuple[bool, int]:
        """Whether it ended before docker's patience of ten seconds did, and its exit code."""
        began = time.monotonic()
        self.docker("stop", self.name)
        return time.monotonic() - began < 10, int(self.inspect("{{.State.ExitCode}}"))


@dataclass(frozen=True)
class Engine:
    """Makes containers and volumes, and takes them away again."""

    environ: dict[str, str]
    label: str

    def run(
        self,
        image: str,
        *command: str,
        options: tuple[str, ...] = (),
        files: dict[str, Path | str] | None = None,
        **env: str,
    ) -> Container:
        """Start a container. `files` are copied to where they are named, so that the engine may be far away."""
        made = Container(f"{self.label}-{uuid.uuid4().hex[:6]}", self.environ)
        variables = [f"--env={name}={value}" for name, value in env.items()]
        made.docker(
            "create", "--name", made.name, "--label", self.label, *variables, *options, image, *command
        )
        for target, source in (files or {}).items():
            made.docker("cp", str(source), f"{made.name}:{target}")
        made.docker("start", made.name)
        return made

    def clear(self) -> None:
        docker = Container(self.label, self.environ).docker
        if made := docker("ps", "--all", "--quiet", "--filter", f"label={self.label}").split():
            docker("rm", "--force", "--volumes", *made)
        if made := docker("volume", "ls", "--quiet", "--filter", f"name={self.label}").split():
            docker("volume", "rm", *made)


def cleared(environ: dict[str, str]) -> Iterator[Engine]:
    engine = Engine(environ, f"streamflow-test-{uuid.uuid4().hex[:12]}")
    yield engine
    engine.clear()


@pytest.fixture(scope="module")
def provided(default_store: Any) -> dict[str, str]:
    """The engine's surroundings, once the images are there."""
    environ: dict[str, str] = default_store.environ
    done = subprocess.run(
        [PROJECT / "scripts/bases", "--infrastructure"],
        cwd=PROJECT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return environ


@pytest.fixture
def engine(provided: dict[str, str]) -> Iterator[Engine]:
    yield from cleared(provided)


@pytest.fixture(scope="class")
def shared(provided: dict[str, str]) -> Iterator[Engine]:
    yield from cleared(provided)


def published(*ports: int) -> tuple[str, ...]:
    return tuple(f"--publish=127.0.0.1::{port}" for port in ports)


class TestPostgres:
    @pytest.fixture(scope="class")
    @classmethod
    def postgres(cls, shared: Engine) -> Container:
        made = shared.run(
            POSTGRES,
            options=published(5432),
            POSTGRES_USER="ana",
            POSTGRES_PASSWORD="it's 1 secret",
            POSTGRES_DB="events",
        )
        cls.wait(made)
        return made

    @staticmethod
    def wait(postgres: Container) -> None:
        """Wait for the server that listens: while it is made, only its socket answers."""
        postgres.wait("pg_isready", "--quiet", "--host=127.0.0.1")

    @staticmethod
    def ask(postgres: Container, query: str, *, user: str, password: str, database: str) -> Any:
        """The first value of an answer, from outside of the container."""
        host, port = postgres.address(5432)

        async def asked() -> Any:
            connection = await asyncpg.connect(
                host=host, port=port, user=user, password=password, database=database
            )
            try:
                return await connection.fetchval(query)
            finally:
                await connection.close()

        return asyncio.run(asked())

    def own(self, postgres: Container, query: str) -> Any:
        return self.ask(postgres, query, user="ana", password="it's 1 secret", database="events")

    def test_user_password_and_database_are_those_of_the_environment(self, postgres: Container) -> None:
        assert self.own(postgres, "SELECT current_user || '@' || current_database()") == "ana@events"
        assert self.own(postgres, "SELECT usesuper FROM pg_user WHERE usename = 'ana'")
        assert self.own(postgres, "SHOW server_version").startswith("15.")

    @pytest.mark.parametrize("password", ["", "wrong"])
    def test_another_password_is_refused(self, postgres: Container, password: str) -> None:
        with pytest.raises(asyncpg.InvalidPasswordError):
            self.ask(postgres, "SELECT 1", user="ana", password=password, database="events")

    def test_text_is_utf8_and_sorted_as_in_the_official_image(self, postgres: Container) -> None:
        words = "SELECT string_agg(w, ' ' ORDER BY w) FROM (VALUES ('Zebra'), ('ähre'), ('apfel')) AS v (w)"
        assert self.own(postgres, words) == "ähre apfel Zebra"
        assert self.own(postgres, "SHOW server_encoding") == "UTF8"

    def test_extensions_and_time_zones_are_there(self, postgres: Container) -> None:
        self.own(postgres, "CREATE EXTENSION pgcrypto")
        assert self.own(postgres, "SELECT length(gen_salt('bf'))") == 29
        noon = "SELECT (timestamptz '2024-07-01 12:00+00' AT TIME ZONE 'Europe/Berlin')::text"
        assert self.own(postgres, noon) == "2024-07-01 14:00:00"

    def test_it_runs_as_postgres(self, postgres: Container) -> None:
        assert postgres.execute("stat", "-c", "%U %u", "/proc/1") == "postgres 999"
        assert postgres.execute("stat", "-c", "%U %a", "/var/lib/postgresql/data") == "postgres 700"

    def test_scripts_run_once_and_data_outlives_the_container(self, engine: Engine, tmp_path: Path) -> None:
        scripts = tmp_path / "scripts"
        scripts.mkdir()
        (scripts / "1.sql").write_text("CREATE TABLE log (entry text); INSERT INTO log VALUES ('sql');\n")
        (scripts / "2.sql.gz").write_bytes(gzip.compress(b"INSERT INTO log VALUES ('gz');\n"))
        tell = 'psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "INSERT INTO log VALUES'
        (scripts / "3.sh").write_text(f"[[ -n $POSTGRES_DB ]] && {tell} ('sourced')\"\n")
        reach = "pg_isready -q -h 127.0.0.1 && word=reached || word=socket-only"
        (scripts / "4.sh").write_text(f"#!/bin/sh\n{reach}\n{tell} ('$word')\"\n")
        (scripts / "4.sh").chmod(0o755)
        (scripts / "README").write_text("This is no script.\n")
        volume = f"--volume={engine.label}:/var/lib/postgresql/data"
        query = "SELECT string_agg(entry, ' ') FROM log"
        for _ in range(2):
            made = engine.run(
                POSTGRES,
                options=(volume, *published(5432)),
                files={"/docker-entrypoint-initdb.d": f"{scripts}/."},
                POSTGRES_USER="ana",
                POSTGRES_PASSWORD="it's 1 secret",
                POSTGRES_DB="events",
            )
            self.wait(made)
            assert self.own(made, query) == "sql gz sourced socket-only"
            made.docker("rm", "--force", made.name)

    def test_a_script_that_fails_ends_it(self, engine: Engine, tmp_path: Path) -> None:
        (tmp_path / "1.sql").write_text("SELECT 1/0;\n")
        made = engine.run(
            POSTGRES, files={"/docker-entrypoint-initdb.d/1.sql": tmp_path / "1.sql"}, POSTGRES_PASSWORD="x"
        )
        assert made.ended() != 0
        assert "division by zero" in made.logs()

    def test_without_a_password_it_makes_nothing(self, engine: Engine) -> None:
        made = engine.run(POSTGRES)
        assert made.ended() == 1
        assert "POSTGRES_PASSWORD" in made.logs()
        assert "POSTGRES_HOST_AUTH_METHOD=trust" in made.logs()

    def test_without_a_password_where_everyone_is_trusted(self, engine: Engine) -> None:
        made = engine.run(POSTGRES, options=published(5432), POSTGRES_HOST_AUTH_METHOD="trust")
        self.wait(made)
        asked = self.ask(made, "SELECT 1", user="postgres", password="any", database="postgres")
        assert asked == 1

    def test_what_files_say_and_arguments_of_both_programs(self, engine: Engine, tmp_path: Path) -> None:
        for name, text in (("user", "ana\n"), ("password", "it's 1 secret\n"), ("db", "events\n")):
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o400)
        made = engine.run(
            POSTGRES,
            *("-c", "max_connections=33", "-c", "application_name=it is named"),
            options=published(5432),
            files={"/run/secrets": tmp_path},
            POSTGRES_USER_FILE="/run/secrets/user",
            POSTGRES_PASSWORD_FILE="/run/secrets/password",
            POSTGRES_DB_FILE="/run/secrets/db",
            POSTGRES_INITDB_ARGS="--data-checksums --locale='C.UTF-8'",
            PGDATA="/var/lib/postgresql/data/pgdata",
        )
        self.wait(made)
        for setting, value in (
            ("max_connections", "33"),
            ("data_checksums", "on"),
            ("lc_collate", "C.UTF-8"),
            ("data_directory", "/var/lib/postgresql/data/pgdata"),
        ):
            assert self.own(made, f"SHOW {setting}") == value

    def test_a_value_and_a_file_for_it_are_one_too_many(self, engine: Engine) -> None:
        made = engine.run(POSTGRES, POSTGRES_PASSWORD="x", POSTGRES_PASSWORD_FILE="/etc/hostname")
        assert made.ended() == 1
        assert "POSTGRES_PASSWORD_FILE" in made.logs()

    def test_as_its_own_user_with_the_whole_command(self, engine: Engine) -> None:
        made = engine.run(
            POSTGRES,
            *("postgres", "-c", "fsync=off"),
            options=(
                "--user=postgres",
                f"--volume={engine.label}:/var/lib/postgresql/data",
                *published(5432),
            ),
            POSTGRES_PASSWORD="x",
        )
        self.wait(made)
        asked = self.ask(made, "SHOW fsync", user="postgres", password="x", database="postgres")
        assert asked == "off"

    @pytest.mark.parametrize("command", [("--version",), ("postgres", "--version"), ("psql", "--version")])
    def test_another_command_needs_no_database(self, engine: Engine, command: tuple[str, ...]) -> None:
        made = engine.run(POSTGRES, *command)
        assert made.ended() == 0
        assert "(PostgreSQL) 15." in made.logs()

    def test_it_stops_at_once_though_a_client_is_connected(self, engine: Engine) -> None:
        made = engine.run(POSTGRES, POSTGRES_PASSWORD="x")
        self.wait(made)
        made.docker("exec", "--detach", made.name, "psql", "-U", "postgres", "-c", "SELECT pg_sleep(60)")
        assert made.stop() == (True, 0)
        assert "database system is shut down" in made.logs()


class TestRabbitmq:
    @pytest.fixture(scope="class")
    @classmethod
    def rabbitmq(cls, shared: Engine) -> Container:
        made = shared.run(
            RABBITMQ,
            options=("--hostname=rabbitmq", *published(5672, 15672, 15692)),
            RABBITMQ_DEFAULT_USER="ana",
            RABBITMQ_DEFAULT_PASS="it's 1 secret",
            RABBITMQ_DEFAULT_VHOST="events",
        )
        cls.wait(made)
        return made

    @staticmethod
    def wait(rabbitmq: Container) -> None:
        rabbitmq.wait("rabbitmq-diagnostics", "--quiet", "check_port_connectivity")

    @staticmethod
    def ask(
        rabbitmq: Container,
        method: str,
        path: str,
        json_: object = None,
        *,
        login: tuple[str, str] = ("ana", "it's 1 secret"),
    ) -> httpx.Response:
        """An answer of the management API."""
        host, port = rabbitmq.address(15672)
        return httpx.request(method, f"http://{host}:{port}/api/{path}", json=json_, auth=login, timeout=30)

    def test_user_password_and_vhost_are_those_of_the_environment(self, rabbitmq: Container) -> None:
        assert self.ask(rabbitmq, "GET", "whoami").json()["tags"] == ["administrator"]
        assert [each["name"] for each in self.ask(rabbitmq, "GET", "vhosts").json()] == ["events"]
        assert [each["name"] for each in self.ask(rabbitmq, "GET", "users").json()] == ["ana"]
        overview = self.ask(rabbitmq, "GET", "overview").json()
        assert overview["rabbitmq_version"].startswith("3.")

    @pytest.mark.parametrize("login", [("ana", "wrong"), ("guest", "guest")])
    def test_another_login_is_refused(self, rabbitmq: Container, login: tuple[str, str]) -> None:
        assert self.ask(rabbitmq, "GET", "whoami", login=login).status_code == 401

    def test_metrics_are_there(self, rabbitmq: Container) -> None:
        host, port = rabbitmq.address(15692)
        assert "rabbitmq_identity_info" in httpx.get(f"http://{host}:{port}/metrics", timeout=30).text

    def test_its_programs_work_beside_it(self, rabbitmq: Container) -> None:
        assert "Ping succeeded" in rabbitmq.execute("rabbitmq-diagnostics", "ping")
        rabbitmq.execute("rabbitmq-diagnostics", "-q", "ping")
        rabbitmq.execute("rabbitmq-diagnostics", "-q", "check_running")
        assert "ana" in rabbitmq.execute("rabbitmqctl", "list_users")
        assert "[E*] rabbitmq_management" in rabbitmq.execute("rabbitmq-plugins", "list")

    def test_it_runs_as_rabbitmq_and_logs_to_the_console(self, rabbitmq: Container) -> None:
        assert rabbitmq.execute("stat", "-c", "%U %u", "/proc/1") == "rabbitmq 999"
        assert "Server startup complete" in rabbitmq.logs()

    def test_a_message_in_a_durable_queue_outlives_a_restart(self, rabbitmq: Container) -> None:
        self.ask(rabbitmq, "PUT", "queues/events/kept", {"durable": True}).raise_for_status()
        message = {
            "routing_key": "kept",
            "payload": "still here",
            "payload_encoding": "string",
            "properties": {"delivery_mode": 2},
        }
        sent = self.ask(rabbitmq, "POST", "exchanges/events/amq.default/publish", message)
        assert sent.json() == {"routed": True}

        rabbitmq.docker("restart", rabbitmq.name)
        self.wait(rabbitmq)

        wanted = {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}
        (got,) = self.ask(rabbitmq, "POST", "queues/events/kept/get", wanted).json()
        assert got["payload"] == "still here"

    def test_guest_name_cookie_and_a_file_of_settings(self, engine: Engine, tmp_path: Path) -> None:
        (tmp_path / "20-own.conf").write_text("default_vhost = events\n")
        (tmp_path / "20-own.conf").chmod(0o644)
        made = engine.run(
            RABBITMQ,
            options=published(15672),
            files={"/etc/rabbitmq/conf.d/20-own.conf": tmp_path / "20-own.conf"},
            RABBITMQ_NODENAME="broker@localhost",
            RABBITMQ_ERLANG_COOKIE="crumbs",
        )
        self.wait(made)
        guest = ("guest", "guest")
        assert self.ask(made, "GET", "overview", login=guest).json()["node"] == "broker@localhost"
        assert [each["name"] for each in self.ask(made, "GET", "vhosts", login=guest).json()] == ["events"]
        assert made.execute("rabbitmqctl", "eval", "erlang:get_cookie().").splitlines()[-1] == "crumbs"
        assert made.stop() == (True, 0)

    def test_each_new_one_has_a_cookie_of_its_own(self, engine: Engine) -> None:
        cookies = set()
        for _ in range(2):
            made = engine.run(RABBITMQ)
            made.wait("test", "-s", COOKIE)
            cookies.add(made.execute("cat", COOKIE))
        assert len(cookies) == 2

    @pytest.mark.parametrize("name", ["RABBITMQ_DEFAULT_USER_FILE", "RABBITMQ_DEFAULT_PASS_FILE"])
    def test_a_file_for_the_login_is_refused(self, engine: Engine, name: str) -> None:
        made = engine.run(RABBITMQ, **{name: "/etc/hostname"})
        assert made.ended() == 1
        assert f"{name} is set" in made.logs()


class TestRedis:
    @staticmethod
    def client(container: Container, password: str | None = None) -> redis.Redis:
        host, port = container.address(6379)
        return redis.Redis(host, port, password=password, decode_responses=True, socket_timeout=10)

    @staticmethod
    def wait(container: Container) -> None:
        container.wait("redis-cli", "ping")

    def test_a_password_and_a_log_that_outlives_a_restart(self, engine: Engine) -> None:
        made = engine.run(
            REDIS,
            *("redis-server", "--appendonly", "yes", "--save", "", "--requirepass", "it's 1 secret"),
            options=published(6379),
        )
        self.wait(made)
        with self.client(made) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
        with self.client(made, "it's 1 secret") as client:
            assert client.info("server")["redis_version"].startswith("7.")
            client.set("kept", "still here")
        made.docker("restart", made.name)
        self.wait(made)
        with self.client(made, "it's 1 secret") as client:
            assert client.get("kept") == "still here"
        assert made.execute("ls", "/data") == "appendonlydir"

    def test_data_outlives_the_container(self, engine: Engine) -> None:
        for seen in (None, "yes"):
            made = engine.run(REDIS, options=(f"--volume={engine.label}:/data", *published(6379)))
            self.wait(made)
            with self.client(made) as client:
                assert client.get("seen") == seen
                client.set("seen", "yes")
            assert made.stop() == (True, 0)
            made.docker("rm", made.name)

    def test_options_alone(self, engine: Engine) -> None:
        made = engine.run(REDIS, "--maxmemory", "100mb", options=published(6379))
        self.wait(made)
        with self.client(made) as client:
            assert client.config_get("maxmemory", "protected-mode") == {
                "maxmemory": "104857600",
                "protected-mode": "no",
            }
        assert made.execute("stat", "-c", "%U %u", "/proc/1") == "redis 999"
        assert made.execute("pwd") == "/data"

    @pytest.mark.parametrize(
        ("settings", "protected"), [("maxclients 77\n", "no"), ("maxclients 77\nprotected-mode yes\n", "yes")]
    )
    @pytest.mark.parametrize("program", [("redis-server",), ()])
    def test_a_file_of_settings(
        self, engine: Engine, tmp_path: Path, settings: str, protected: str, program: tuple[str, ...]
    ) -> None:
        (tmp_path / "redis.conf").write_text(settings)
        (tmp_path / "redis.conf").chmod(0o644)
        file = "/usr/local/etc/redis.conf"
        made = engine.run(
            REDIS, *program, file, "--maxmemory", "100mb", files={file: tmp_path / "redis.conf"}
        )
        self.wait(made)
        for name, value in (("maxclients", "77"), ("maxmemory", "104857600"), ("protected-mode", protected)):
            assert made.execute("redis-cli", "config", "get", name).split() == [name, value]

    @pytest.mark.parametrize("command", [("redis-server", "--version"), ("redis-cli", "--version")])
    def test_another_command(self, engine: Engine, command: tuple[str, ...]) -> None:
        made = engine.run(REDIS, *command)
        assert made.ended() == 0
        assert "7." in made.logs()


@pytest.mark.parametrize(
    ("image", "ports", "expected"),
    [
        (
            POSTGRES,
            {"5432/tcp"},
            {"Cmd": ["postgres"], "Volumes": {"/var/lib/postgresql/data": {}}, "StopSignal": "SIGINT"},
        ),
        (
            RABBITMQ,
            {"5672/tcp", "15672/tcp", "15692/tcp"},
            {"Cmd": ["rabbitmq-server"], "Volumes": {"/var/lib/rabbitmq": {}}},
        ),
        (REDIS, {"6379/tcp"}, {"Cmd": ["redis-server"], "Volumes": {"/data": {}}, "WorkingDir": "/data"}),
    ],
)
def test_what_the_image_says_of_itself(
    engine: Engine, image: str, ports: set[str], expected: dict[str, object]
) -> None:
    inspected = Container("", engine.environ).docker(
        "image", "inspect", "--format", "{{json .Config}}", image
    )
    config = json.loads(inspected)
    assert config["Entrypoint"] == ["docker-entrypoint.sh"]
    assert set(config["ExposedPorts"]) >= ports
    assert {name: config[name] for name in expected} == expected
