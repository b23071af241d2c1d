"""Environments of a small project, deployed: what runs is looked at on the engine."""

from __future__ import annotations

import dataclasses
import json
import select
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..publish.conftest import Clients, pushed
from ..publish.registries import Process
from ..shop import DEADLINE, Running, processes, until
from .conftest import PORT, SERVICES, Deployed

SECRET = """\
secrets: {{TOKEN: "opens the $door, {{so}}"}}
environments:
  dev: {{images: built, publish: [], secrets: {{TOKEN: for-development}}}}
  staging: {{publish: []}}
"""
ASKS = ', environment: {ADDRESS: "https://me:{TOKEN}@there"}'


def variables(container: dict[str, Any]) -> dict[str, str]:
    return dict(each.split("=", 1) for each in container["Config"]["Env"])


def ids(containers: dict[str, Any]) -> dict[str, str]:
    return {service: container["Id"] for service, container in containers.items()}


def published(container: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """By port of the container, the addresses of this machine that lead there."""
    ports = container["NetworkSettings"]["Ports"]
    return {
        port: sorted((b["HostIp"], b["HostPort"]) for b in there) for port, there in ports.items() if there
    }


def test_a_release_runs_by_its_digests(built_anywhere: Deployed, registry: Process, clients: Clients) -> None:
    pushed(built_anywhere.shop, registry.host)
    images = {service: built_anywhere.shop.inspected(service)["Id"] for service in SERVICES}
    built_anywhere.forget()

    containers = built_anywhere.up("staging")

    told = json.loads((built_anywhere.shop.folder / ".streamflow/release.json").read_text())["registries"][0][
        "images"
    ]
    digests = {image["service"]: image["digest"] for image in told}
    for service in SERVICES:
        name = f"{registry.host}/team/{built_anywhere.shop.name}-{service}"
        assert digests[service] == clients.crane("digest", f"{name}:v1.0.0")
        assert containers[service]["Config"]["Image"].startswith(f"{name}:")
        assert containers[service]["Config"]["Image"].endswith(f"@{digests[service]}")
        assert containers[service]["Image"] == images[service]
        assert built_anywhere.said("staging", service) == f"{service} of {built_anywhere.shop.name}"


def test_what_would_run_is_printed(built: Deployed, registry: Process) -> None:
    pushed(built.shop, registry.host)

    told = json.loads(built.shop.run("compose", "--env", "staging", "--json").stdout)
    plain = built.shop.run("compose", "--env", "staging")

    containers = built.up("staging")
    runs = {image["service"]: image["reference"] for image in told["deployment"]["images"]}
    assert runs == {service: containers[service]["Config"]["Image"] for service in SERVICES}
    assert plain.stdout.splitlines()[-1] == f"staging would run 1.0.0 of {registry.host}/team"
    assert all(reference in plain.stdout for reference in runs.values())


def test_a_tag_that_moves_moves_no_container(
    built: Deployed, registry: Process, clients: Clients, tmp_path: Path
) -> None:
    pushed(built.shop, registry.host)
    before = clients.digests(registry.host, built.shop, "v1.0.0", "latest")
    built.shop.write("beta/said.txt", "something else\n")
    built.shop.report("v1.0.0")
    pushed(built.shop, registry.host, "--force", "--output", str(tmp_path / "other.json"))
    after = clients.digests(registry.host, built.shop, "v1.0.0", "latest")
    assert all(after[tag]["beta"] != before[tag]["beta"] for tag in after)
    built.forget()

    containers = built.up("staging")

    assert containers["beta"]["Config"]["Image"].endswith(f"@{before['v1.0.0']['beta']}")
    assert built.said("staging", "beta") == f"beta of {built.shop.name}"
    other = built.up("staging", "--release", str(tmp_path / "other.json"))
    assert other["beta"]["Config"]["Image"].endswith(f"@{after['v1.0.0']['beta']}")
    assert built.said("staging", "beta") == "something else"


def test_a_new_version_replaces_containers_and_the_same_one_leaves_them(
    built: Deployed, registry: Process
) -> None:
    pushed(built.shop, registry.host)
    first = built.up("staging")
    again = built.up("staging", said=f"staging: 1.0.0 of {registry.host}/team\n")
    assert ids(again) == ids(first)

    built.shop.write("alpha/said.txt", "news\n")
    built.shop.report("v1.1.0")
    pushed(built.shop, registry.host, "v1.1.0")
    second = built.up("staging", said=f"staging: 1.1.0 of {registry.host}/team, in place of 1.0.0\n")

    assert {service: ids(second)[service] == ids(first)[service] for service in second} == {
        "alpha": False,
        "beta": False,
        "store": True,
    }
    assert built.said("staging", "alpha") == "news"
    assert second["alpha"]["Image"] == built.shop.inspected("alpha", "v1.1.0")["Id"]

    back = f"staging: 1.0.0 of {registry.host}/team, in place of 1.1.0\n"
    third = built.up("staging", "--release", "v1.0.0", said=back)
    assert third["alpha"]["Image"] == first["alpha"]["Image"]


def test_development_runs_what_was_built_here_last(built: Deployed) -> None:
    first = built.up("dev")
    built.shop.write("beta/said.txt", "news\n")
    built.shop.report("v1.0.1")
    second = built.up("dev")

    for service in SERVICES:
        assert second[service]["Config"]["Image"] == f"{built.shop.name}-{service}:latest"
        assert second[service]["Image"] == built.shop.tags(service)["latest"]
    assert second["beta"]["Image"] != first["beta"]["Image"]
    assert built.said("dev", "beta") == "news"
    assert ids(second)["store"] == ids(first)["store"]
    assert not (built.shop.folder / ".streamflow/release.json").exists()


def test_docker_compose_by_itself_does_the_same_in_development(built: Deployed) -> None:
    containers = built.up("dev")

    done = built.docker("compose", "up", "--detach", "--wait")

    assert done.returncode == 0, done.stderr
    assert ids(built.running("dev")) == ids(containers)


def test_development_is_reached_from_this_machine_and_staging_from_everywhere(
    built: Deployed, registry: Process
) -> None:
    pushed(built.shop, registry.host)

    here, there = built.up("dev"), built.up("staging")

    assert published(here["alpha"]) == {f"{PORT}/tcp": [("127.0.0.1", str(built.ports["alpha"]))]}
    (port, addresses), *others = published(there["beta"]).items()
    assert not others
    assert port == f"{PORT}/tcp"
    assert {number for _, number in addresses} == {str(built.ports["beta"])}
    assert "0.0.0.0" in {address for address, _ in addresses}
    for left_out in (here["beta"], there["alpha"], here["store"], there["store"]):
        assert published(left_out) == {}


def test_environments_are_side_by_side(built: Deployed, registry: Process) -> None:
    pushed(built.shop, registry.host)
    built.up("dev")
    built.compose("dev", "exec", "--no-TTY", "store", "mkdir", "/data/of-dev")
    staging = built.up("staging")

    assert built.compose("staging", "exec", "--no-TTY", "store", "ls", "/data").stdout == ""
    built.compose("dev", "down", "--volumes")

    assert built.containers("dev") == []
    assert ids(built.running("staging")) == ids(staging)
    assert sorted(built.left()) == sorted(
        [
            *(f"/{built.shop.name}-staging-{service}-1" for service in (*SERVICES, "store")),
            f"{built.shop.name}-staging_default",
            f"{built.shop.name}-staging_store-data",
        ]
    )
    built.compose("staging", "down", "--volumes")
    assert built.left() == []


def test_data_outlasts_containers(built: Deployed) -> None:
    built.up("dev")
    built.compose("dev", "exec", "--no-TTY", "store", "mkdir", "/data/kept")
    built.compose("dev", "down")
    assert built.containers("dev") == []

    built.up("dev")

    assert built.compose("dev", "exec", "--no-TTY", "store", "ls", "/data").stdout == "kept\n"


def test_without_a_release_file_nothing_is_started(built: Deployed) -> None:
    done = built.compose("staging", "up", "--detach", code=2)

    assert done.stdout == ""
    assert done.stderr == (
        f"streamflow-build: There is no release in {built.shop.folder}/.streamflow/release.json.\n"
        "A push writes it, such as: streamflow-build push ghcr.io/org. Or name one: --release FILE\n"
    )
    assert built.left() == []


def test_what_runs_is_managed_without_a_release_file(built: Deployed, registry: Process) -> None:
    pushed(built.shop, registry.host)
    built.up("staging")
    for file in (built.shop.folder / ".streamflow").glob("*.*"):
        file.unlink()

    services = built.compose("staging", "ps", "--services").stdout.split()
    logs = built.compose("staging", "logs", "--no-log-prefix", "alpha").stdout
    built.compose("staging", "down", "--volumes")

    assert sorted(services) == [*SERVICES, "store"]
    assert f"alpha of {built.shop.name}\n" in logs
    assert built.left() == []


def test_the_exit_code_and_the_streams_are_those_of_docker_compose(built: Deployed) -> None:
    built.up("dev")

    done = built.compose(
        "dev", "exec", "--no-TTY", "alpha", "sh", "-c", "cat; echo problems >&2; exit 7",
        code=7, stdin="a question\n",
    )  # fmt: skip

    assert done.stdout == "a question\n"
    assert done.stderr == "problems\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda it: it.name)
def test_a_signal_ends_docker_compose(number: signal.Signals, built: Deployed) -> None:
    before = built.up("dev")
    run = built.start("dev", "logs", "--follow", "--no-log-prefix", "alpha")
    assert f"alpha of {built.shop.name}" in first_line(run)
    assert "--follow" in command_of(run.process.pid)

    run.process.send_signal(number)
    done = run.ended(10)

    assert done.returncode == 130
    assert done.stderr.strip() == ""
    until(lambda: not processes(built.shop.name), "nothing of it is left", 10)
    assert ids(built.running("dev")) == ids(before)


def test_an_interrupt_on_the_terminal_stops_what_runs_in_it(built: Deployed) -> None:
    with built.shop.on_terminal("compose", "--env", "dev", "--", "up") as run:
        until(lambda: f"beta of {built.shop.name}".encode() in run.screen, "its log is on the screen")
        until(lambda: f"alpha of {built.shop.name}".encode() in run.screen, "its log is on the screen")
        run.press(b"\x03")
        code = run.ended(30)

    assert code in {0, 130}
    assert b"Traceback" not in run.screen
    assert {each["State"]["Status"] for each in built.containers("dev")} == {"exited"}
    assert len(built.containers("dev")) == 3


def test_a_secret_of_a_release_is_asked_for(deployed: Deployed, registry: Process) -> None:
    deployed.configure(SECRET, alpha=ASKS)
    deployed.shop.report("v1.0.0")
    pushed(deployed.shop, registry.host)

    done = deployed.shop.run("compose", "--env", "staging", "--", "up", "--detach", TOKEN=None)

    assert done.returncode == 2
    assert "streamflow-build: staging lacks secrets: TOKEN (" in done.stderr
    files = ("docker-compose.yml", "docker-compose.staging.yml")
    by_hand = subprocess.run(
        ["docker", "compose", *(word for file in files for word in ("--file", file)), "config"],
        cwd=deployed.shop.folder, env=deployed.shop.environ({"TOKEN": None}),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert by_hand.returncode != 0
    assert (
        "required variable TOKEN is missing a value: opens the door, so; set it, or write it"
        in by_hand.stderr
    )
    assert deployed.left() == []


def test_what_runs_is_managed_without_its_secrets(deployed: Deployed, registry: Process) -> None:
    deployed.configure(SECRET, alpha=ASKS)
    deployed.shop.report("v1.0.0")
    pushed(deployed.shop, registry.host)
    deployed.compose("staging", "up", "--detach", "--wait", TOKEN="given")

    services = deployed.compose("staging", "ps", "--services", TOKEN=None).stdout.split()
    deployed.compose("staging", "restart", "alpha", TOKEN="")

    assert sorted(services) == [*SERVICES]
    assert variables(deployed.running("staging")["alpha"])["ADDRESS"] == "https://me:given@there"
    deployed.compose("staging", "down", "--volumes", TOKEN=None)
    assert deployed.left() == []


def test_a_secret_that_an_address_would_be_misread_by(deployed: Deployed, registry: Process) -> None:
    deployed.configure(SECRET, alpha=ASKS)
    deployed.shop.report("v1.0.0")
    pushed(deployed.shop, registry.host)
    deployed.shop.write(".env.staging", "TOKEN='a@b'\n")

    done = deployed.shop.run("compose", "--env", "staging", "--", "up", "--detach", TOKEN=None)

    assert done.returncode == 2
    assert "streamflow-build: TOKEN: it is part of an address, and holds a character that" in done.stderr
    assert "a@b" not in done.stderr

    done = deployed.shop.run("compose", "--env", "staging", "--", "up", "--detach", TOKEN="good\na@b")

    assert done.returncode == 2
    assert "a@b" not in done.stderr
    assert deployed.left() == []


@pytest.mark.parametrize("by", [".env.staging", ".env", "variable"])
def test_a_secret_that_is_given_stands_nowhere_else(by: str, deployed: Deployed, registry: Process) -> None:
    value = f"s3cret-{deployed.shop.name}-given"
    changes: dict[str, str | None] = {"TOKEN": value if by == "variable" else None}
    if by == ".env.staging":
        deployed.shop.write(".env", "TOKEN=of-all-others\n")
    if by != "variable":
        deployed.shop.write(by, f"TOKEN={value}\n")
    deployed.configure(SECRET, alpha=ASKS)
    deployed.shop.report("v1.0.0", **changes)
    pushed(deployed.shop, registry.host, **changes)

    runs = [
        deployed.shop.run("compose", "--env", "staging", *more, **changes)
        for more in ((), ("--json",), ("--", "up", "--detach", "--wait"))
    ]
    runs.append(deployed.shop.run("compose", "--env", "dev", **changes))

    assert [run.returncode for run in runs] == [0, 0, 0, 0]
    assert variables(deployed.running("staging")["alpha"])["ADDRESS"] == f"https://me:{value}@there"
    assert value not in str(deployed.running("staging")["beta"])
    assert not [run.args for run in runs if value in run.stdout + run.stderr]
    files = [path for path in deployed.shop.folder.rglob("*") if path.is_file() and path.name != by]
    written = {"docker-compose.yml", "docker-compose.staging.yml", "compose.staging.yml"}
    assert written <= {path.name for path in files}
    assert not [path for path in files if value.encode() in path.read_bytes()]


def test_a_secret_for_development_is_used_unless_another_is_given(deployed: Deployed) -> None:
    deployed.configure(SECRET, alpha=ASKS)
    deployed.shop.report("v1.0.0")

    by_itself = deployed.up("dev", TOKEN=None)
    given = deployed.up("dev", TOKEN="my-own")

    assert variables(by_itself["alpha"])["ADDRESS"] == "https://me:for-development@there"
    assert variables(given["alpha"])["ADDRESS"] == "https://me:my-own@there"


def test_a_value_is_in_the_container_as_it_stands_in_the_file(deployed: Deployed) -> None:
    odd = "it's $HOME and $$, 'a' \\n: # \"all\" 100%"
    deployed.configure(alpha=f", environment: {{ODD: {json.dumps(odd)}}}")
    deployed.shop.report("v1.0.0")

    assert variables(deployed.up("dev")["alpha"])["ODD"] == odd


def test_how_a_release_runs(deployed: Deployed, registry: Process) -> None:
    deployed.configure(
        "environments:\n"
        "  dev: {{images: built}}\n"
        "  staging: {{publish: [], read_only: true, environment: {{WHERE: staging}},\n"
        "    services: {{alpha: {{replicas: 2, memory: 64MiB, environment: {{WHICH: alpha}}}}}}}}\n",
        alpha=", environment: {WHERE: here, WHICH: any}",
    )
    deployed.shop.report("v1.0.0")
    pushed(deployed.shop, registry.host)
    deployed.compose("staging", "up", "--detach", "--wait")
    staging, dev = deployed.containers("staging"), deployed.up("dev")

    of = [each["Config"]["Labels"]["com.docker.compose.service"] for each in staging]
    assert sorted(of) == ["alpha", "alpha", "beta"]
    memory = {
        each["Config"]["Labels"]["com.docker.compose.service"]: each["HostConfig"]["Memory"]
        for each in staging
    }
    assert memory == {"alpha": 64 * 2**20, "beta": 0}
    for each in (*staging, *dev.values()):
        assert each["HostConfig"]["CapDrop"] == ["ALL"]
        assert each["HostConfig"]["SecurityOpt"] == ["no-new-privileges:true"]
        assert each["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
        assert each["HostConfig"]["ReadonlyRootfs"] is (each in staging)
    alphas = [each for each in staging if "-alpha-" in each["Name"]]
    assert {(variables(each)["WHERE"], variables(each)["WHICH"]) for each in alphas} == {("staging", "alpha")}
    assert variables(dev["alpha"])["WHERE"] == "here"
    deployed.compose("staging", "exec", "--no-TTY", "alpha", "mkdir", "/tmp/some")
    refused = deployed.compose("staging", "exec", "--no-TTY", "alpha", "mkdir", "/app/some", code=1)
    assert "Read-only file system" in refused.stderr
    deployed.compose("dev", "exec", "--no-TTY", "alpha", "mkdir", "/app/some")


def test_neither_the_environment_nor_another_folder_misleads_it(
    deployed: Deployed, registry: Process, tmp_path: Path
) -> None:
    deployed.configure(SECRET, alpha=ASKS)
    deployed.shop.report("v1.0.0")
    pushed(deployed.shop, registry.host)
    deployed.shop.write(".env", "TOKEN=the-projects\n")
    other, elsewhere = deployed.name("other"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "docker-compose.yml").write_text(f"name: {other}\nservices: {{}}\n")
    (elsewhere / ".env").write_text(f"COMPOSE_PROJECT_NAME={other}\nTOKEN=elsewheres\n")
    misled: dict[str, str | None] = {
        "COMPOSE_PROJECT_NAME": other,
        "COMPOSE_FILE": str(elsewhere / "docker-compose.yml"),
        "TOKEN": None,
    }

    done = dataclasses.replace(deployed.shop, folder=elsewhere).run(
        "--config", "../shop/streamflow.yaml",
        "compose", "--env", "staging", "--", "up", "--detach", "--wait", **misled,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    containers = deployed.running("staging")
    assert sorted(containers) == [*SERVICES]
    assert containers["alpha"]["Config"]["Image"].startswith(f"{registry.host}/team/")
    assert variables(containers["alpha"])["ADDRESS"] == "https://me:the-projects@there"
    assert sorted(path.name for path in elsewhere.iterdir()) == [".env", "docker-compose.yml"]


def test_a_release_in_two_registries(built: Deployed, registry_of: Callable[..., Process]) -> None:
    here, there = registry_of(), registry_of()
    pushed(built.shop, here.host)
    pushed(built.shop, there.host)

    unsaid = built.shop.run("compose", "--env", "staging", "--", "up", "--detach")
    assert unsaid.returncode == 2
    assert unsaid.stderr == (
        f"streamflow-build: .streamflow/release.json has 1.0.0 in {here.host}/team, {there.host}/team.\n"
        f"Say which one: --registry {here.host}/team\n"
    )
    assert built.left() == []

    for one in (there, here):
        containers = built.up("staging", "--registry", f"{one.host}/team")
        assert containers["alpha"]["Config"]["Image"].startswith(f"{one.host}/team/")

    text = (built.shop.folder / "streamflow.yaml").read_text()
    built.shop.write(
        "streamflow.yaml", text.replace("staging: {", f"staging: {{registry: {there.host}/team, ")
    )
    assert built.up("staging")["alpha"]["Config"]["Image"].startswith(f"{there.host}/team/")
    text = (built.shop.folder / "streamflow.yaml").read_text()
    named = text.replace("registry.example/team", f"{here.host}/team")
    built.shop.write("streamflow.yaml", named.replace(f"registry: {there.host}/team", "registry: team"))
    assert built.up("staging")["alpha"]["Config"]["Image"].startswith(f"{here.host}/team/")


@pytest.mark.parametrize("words", [(), ("--progress", "plain"), ("--project-directory", "."), ("-f", "ps")])
def test_a_command_is_known_behind_options(words: tuple[str, ...], built: Deployed) -> None:
    refused = built.compose("staging", *words, "up", "--detach", code=2)
    assert refused.stderr.startswith("streamflow-build: There is no release in ")

    if "-f" not in words:
        assert built.compose("staging", *words, "ps", "--quiet").stdout == ""


def test_a_service_that_the_release_has_not_yet(built: Deployed, registry: Process) -> None:
    pushed(built.shop, registry.host)
    text = (built.shop.folder / "streamflow.yaml").read_text()
    gamma = "  gamma: {module: beta, sources: [beta], requirements: beta.txt}\n"
    built.shop.write("streamflow.yaml", text.replace("infrastructure:", gamma + "infrastructure:"))

    done = built.compose("staging", "up", "--detach", code=2)

    assert done.stderr == (
        f"streamflow-build: .streamflow/release.json has no image of gamma for 1.0.0 in {registry.host}/team.\n"
        f"Push all of them: streamflow-build push {registry.host}/team 1.0.0\n"
    )
    assert built.left() == []


def test_images_and_configuration_of_two_commits_are_told(deployed: Deployed, registry: Process) -> None:
    deployed.shop.write(".gitignore", "/.streamflow/\n/docker-compose*.yml\n")
    first = deployed.commit()
    deployed.shop.report("v1.0.0")
    pushed(deployed.shop, registry.host)
    same = deployed.shop.run("compose", "--env", "staging")
    second = deployed.commit()
    other = deployed.shop.run("compose", "--env", "staging")

    assert "note:" not in same.stderr
    assert other.returncode == 0
    assert other.stderr == (
        f"note: the images are of commit {first}, and streamflow.yaml, which says their ports, "
        f"paths and variables, is of {second}\n"
    )


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (None, "docker can't be run: No such file or directory."),
        (
            "echo WARNING: a bad file >&2; printf '\\033[31mno \\007such command\\n' >&2; exit 1",
            "docker has no Compose plugin: `docker compose version` fails: no such command",
        ),
        ("echo 2.24.3", "Docker Compose 2.24.3 is too old."),
    ],
    ids=["no docker", "no plugin", "too old"],
)
def test_a_machine_without_docker_compose(
    program: str | None, said: str, deployed: Deployed, tmp_path: Path
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    if program is not None:
        (programs / "docker").write_text(f"#!/bin/sh\n{program}\n")
        (programs / "docker").chmod(0o755)

    done = deployed.shop.run("compose", "--env", "dev", "--", "up", PATH=str(programs))

    assert done.returncode == 3
    assert done.stderr.endswith(
        f"streamflow-build: {said}\n"
        "Install the Compose plugin, 2.24.4 or newer: https://docs.docker.com/compose/install/\n"
    )


def command_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def first_line(run: Running) -> str:
    """What it prints first, once it does."""
    assert run.process.stdout is not None
    ready, _, _ = select.select([run.process.stdout], [], [], DEADLINE)
    assert ready, "it prints nothing"
    return run.process.stdout.readline()
