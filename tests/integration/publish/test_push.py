"""Images in a registry: all of them, under their tags, read by others' clients."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from ..shop import Shop
from .conftest import SERVICES, Clients, pushed
from .registries import Process, free_port

SERIES = ["1", "1.0", "1.0.0", "latest", "v1.0.0"]


def test_five_tags_of_each_service_on_what_the_engine_holds(
    built: Shop, registry: Process, clients: Clients
) -> None:
    report = pushed(built, registry.host)

    for image in report["images"]:
        service = image["service"]
        assert clients.tags(registry.host, built, service) == SERIES
        reference = f"{registry.host}/team/{built.name}-{service}"
        assert {clients.crane("digest", f"{reference}:{tag}") for tag in SERIES} == {image["digest"]}
        labels = json.loads(clients.crane("config", f"{reference}@{image['digest']}"))["config"]["Labels"]
        assert labels == built.inspected(service)["Config"]["Labels"]
        assert image["outcome"], image["sent"] == ("published", True)
        assert sorted(image["tags"]) == sorted(image["set"]) == SERIES


def test_the_engine_is_left_as_it_was(built: Shop, registry: Process) -> None:
    before = {service: built.tags(service) for service in SERVICES}

    pushed(built, registry.host)

    assert {service: built.tags(service) for service in SERVICES} == before


def test_what_was_pushed_runs_from_there(built: Shop, registry: Process) -> None:
    pushed(built, registry.host)
    built.live.api.remove_image(f"{built.name}-alpha:v1.0.0", force=True)
    reference = f"{registry.host}/team/{built.name}-alpha"

    built.live.api.pull(reference, "1.0")
    container = built.live.api.create_container(f"{reference}:1.0", network_disabled=True)
    built.live.api.start(container)
    built.live.api.wait(container)
    said = built.live.api.logs(container)
    built.live.api.remove_container(container)

    assert said.decode() == f"shared of {built.name}\n"


def test_files_that_no_commit_holds_are_told(shop_here: Shop, registry: Process) -> None:
    me = ("-c", "user.name=shop", "-c", "user.email=shop@example.org")
    for words in (("init",), ("add", "."), (*me, "commit", "--message=first")):
        subprocess.run(["git", *words], cwd=shop_here.folder, check=True, capture_output=True)
    shop_here.write("alpha/new.txt", "new\n")
    for version in ("v1.0.0", "v1.1.0-rc.1"):
        shop_here.report(version)

    notes = {
        version: pushed(shop_here, registry.host, version)["notes"] for version in ("v1.0.0", "v1.1.0-rc.1")
    }
    told = shop_here.run("promote", "v1.1.0-rc.1", "v1.1.0", f"{registry.host}/team", "--json")

    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=shop_here.folder, check=True, capture_output=True, text=True
    ).stdout.strip()
    note = f"made of files that no commit holds, {commit}-dirty: it can't be built again"
    assert notes == {"v1.0.0": [note], "v1.1.0-rc.1": []}
    assert json.loads(told.stdout)["notes"] == [note]


def test_again_nothing_is_sent(built: Shop, registry: Process, clients: Clients) -> None:
    first = pushed(built, registry.host)
    second = pushed(built, registry.host, "v1.0.0")

    assert [(image["sent"], image["set"]) for image in second["images"]] == [(False, [])] * 3
    assert [image["digest"] for image in second["images"]] == [image["digest"] for image in first["images"]]


def test_a_patch_of_an_older_line_leaves_newer_tags(
    built_here: Shop, registry: Process, clients: Clients
) -> None:
    pushed(built_here, registry.host)
    for version in ("v1.1.0", "v1.0.1"):
        built_here.report(version)
        report = pushed(built_here, registry.host, version)

    on = clients.digests(registry.host, built_here, "1.0.1", "1.1.0", "1.0", "1", "latest")
    assert on["1.0"] == on["1.0.1"]
    assert on["1"] == on["latest"] == on["1.1.0"]
    assert report["refused"] == [
        {"tag": tag, "reason": "on 1.1.0, which is newer than 1.0.1"} for tag in ("1", "latest")
    ]


def test_a_prerelease_moves_no_floating_tag(built_here: Shop, registry: Process, clients: Clients) -> None:
    pushed(built_here, registry.host)
    before = clients.digests(registry.host, built_here, "1.0", "1", "latest")
    built_here.report("v1.1.0-rc.1")

    report = pushed(built_here, registry.host)

    assert report["version"] == "1.1.0-rc.1"
    assert clients.digests(registry.host, built_here, "1.0", "1", "latest") == before
    assert clients.tags(registry.host, built_here, "alpha") == sorted([*SERIES, "1.1.0-rc.1", "v1.1.0-rc.1"])


def test_other_content_under_a_full_version_is_refused(
    built_here: Shop, registry: Process, clients: Clients
) -> None:
    pushed(built_here, registry.host)
    before = clients.digests(registry.host, built_here, *SERIES)
    built_here.write("beta/said.txt", "something else\n")
    built_here.report("v1.0.0")

    refused = built_here.run("push", f"{registry.host}/team", "v1.0.0")

    there = before["v1.0.0"]["beta"]
    assert refused.returncode == 6
    assert (
        f"{registry.host}/team/{built_here.name}-beta:v1.0.0 is there with other content: {there}"
        in refused.stderr
    )
    assert built_here.inspected("beta")["Id"] in refused.stderr
    assert clients.digests(registry.host, built_here, *SERIES) == before

    pushed(built_here, registry.host, "v1.0.0", "--force")
    after = clients.digests(registry.host, built_here, *SERIES)
    assert all(after[tag]["beta"] != there and after[tag]["alpha"] == before[tag]["alpha"] for tag in SERIES)


def test_the_release_file(built_here: Shop, registry: Process, tmp_path: Path) -> None:
    report = pushed(built_here, registry.host)
    pushed(built_here, registry.host, "--output", str(tmp_path / "release.json"))

    told = json.loads((built_here.folder / ".streamflow/release.json").read_text())
    assert told == json.loads((tmp_path / "release.json").read_text())
    assert told == json.loads((built_here.folder / ".streamflow/releases/1.0.0.json").read_text())
    assert told["version"] == "1.0.0"
    (there,) = told["registries"]
    assert there["registry"] == f"{registry.host}/team"
    assert [(i["service"], i["digest"], i["size"]) for i in there["images"]] == [
        (i["service"], i["digest"], i["size"]) for i in report["images"]
    ]


@pytest.mark.parametrize(
    "command", [("push", "{}"), ("promote", "v1.0.0", "v1.0.1", "{}")], ids=lambda it: it[0]
)
def test_a_release_file_that_cannot_be_written_is_told_before_anything_is_sent(
    command: tuple[str, ...], built_here: Shop, registry: Process, clients: Clients, tmp_path: Path
) -> None:
    words = [word.format(f"{registry.host}/team") for word in command]

    done = built_here.run(*words, "--output", str(tmp_path))

    assert done.returncode == 2
    assert done.stderr == (
        f"streamflow-build: The release file {tmp_path} can't be written: Is a directory.\n"
        "--output names another file.\n"
    )
    assert not clients.tags(registry.host, built_here, "alpha")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            '{"name": "shop"}',
            "is no release file, or a damaged one: Object missing required field `version`.",
        ),
        (None, "is no file that can hold a release."),
    ],
    ids=["another file", "a pipe"],
)
def test_a_file_that_is_no_release_is_not_overwritten(
    content: str | None, why: str, built_here: Shop, registry: Process, clients: Clients
) -> None:
    file = built_here.folder / "package.json"
    os.mkfifo(file) if content is None else file.write_text(content)

    done = built_here.run("push", f"{registry.host}/team", "--output", str(file))

    assert done.returncode == 2
    assert done.stderr.startswith(f"streamflow-build: {file} {why}\n")
    assert file.is_fifo() if content is None else file.read_text() == content
    assert not clients.tags(registry.host, built_here, "alpha")


def test_an_empty_file_is_written(built_here: Shop, registry: Process, tmp_path: Path) -> None:
    file = tmp_path / "release.json"
    file.touch()

    pushed(built_here, registry.host, "--output", str(file))

    assert json.loads(file.read_text())["version"] == "1.0.0"


def test_the_old_call_builds_and_pushes(shop_here: Shop, registry: Process, clients: Clients) -> None:
    shop_here.configure(gamma="")

    done = shop_here.run("images", "v1.0.0", f"{registry.host}/team", "--push")

    assert done.returncode == 0, done.stderr
    for service in SERVICES:
        assert clients.tags(registry.host, shop_here, service) == SERIES
    assert f"1.0.0 at {registry.host}/team: 3 pushed in " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("v1.0.0",), "--push needs a REGISTRY."),
        ((), "--push needs a VERSION and a REGISTRY."),
        (("v1.0.0", "team", "--only", "alpha"), "--push publishes all services, which --only excludes."),
        (("v1.0.0", "team", "--dry-run"), "--push publishes all services, which --dry-run excludes."),
    ],
)
def test_an_old_call_that_asks_for_too_little(arguments: tuple[str, ...], said: str, shop_here: Shop) -> None:
    done = shop_here.run("images", *arguments, "--push")
    assert done.returncode == 2
    assert done.stderr.startswith(f"streamflow-build: {said}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("team", "v3.0.0"), "The engine has no image v3.0.0 of alpha, beta."),
        (("taem", "v1.0.0"), "There is no registry 'taem' in streamflow.yaml; did you mean 'team'?"),
        (("team", "1.0"), "'1.0' is not a semantic version: it has two numbers where three are needed."),
        (("team",), "The engine has no version of all services."),
        (("team", "--username", "me"), "--username is given without --password-stdin."),
        (("team", "--password-stdin"), "--password-stdin is given without --username."),
        (("team", "-u", "me", "--password-stdin"), "There is no password on standard input."),
    ],
)
def test_what_cannot_be_pushed(arguments: tuple[str, ...], said: str, shop_here: Shop) -> None:
    done = shop_here.run("push", *arguments)
    assert done.returncode == 2
    assert done.stderr.partition("\n")[0] == f"streamflow-build: {said}"


def test_a_registry_that_is_not_there(built_here: Shop) -> None:
    port = free_port()
    done = built_here.run("push", f"127.0.0.1:{port}/team")
    assert done.returncode == 6
    assert done.stderr == (
        f"streamflow-build: The registry 127.0.0.1:{port} can't be reached: Connection refused.\n"
        "Check its name and port, and that it runs.\n"
    )


def test_a_version_where_the_registry_should_be(built_here: Shop) -> None:
    done = built_here.run("push", "v1.0.0")

    assert done.returncode == 2
    assert done.stderr == (
        "streamflow-build: 'v1.0.0' is a version, and a registry comes first.\n"
        "Write it so: streamflow-build push ghcr.io/org v1.0.0\n"
    )
