from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import pytest

from streamflow_build.config import load
from streamflow_build.errors import ConfigError
from streamflow_build.model.deployment import Environment, Scale, Secret, Variable
from streamflow_build.model.project import (
    Base,
    BuildSecret,
    Infrastructure,
    Package,
    Project,
    Registry,
    Service,
    User,
)

ROOT = Path(__file__).parents[3]


def test_everything_that_can_be_said(folder: Path) -> None:
    file = Path("streamflow.yaml")
    shutil.copy(ROOT / "tests/golden/everything.yaml", file)
    python, own = Base("python", "python:3.11-slim"), Base("own", f"localhost:5000/python@sha256:{'0' * 64}")
    index, netrc = BuildSecret("index", env="INDEX_TOKEN"), BuildSecret("netrc", file="~/.netrc")
    password, token = (
        Secret("DB_PASSWORD", "the database's password"),
        Secret("TOKEN", "what the index asks for"),
    )
    level, own_token = Variable("LEVEL", ("info",)), Variable("TOKEN", (token,))
    web = Service(
        name="web",
        image="team/web-of-shop",
        base=python,
        module="web",
        port=8000,
        user=User("shop", 10001),
        health="/health",
        ready="/ready",
        metrics="/metrics",
        install="source",
        package=None,
        source_root="src",
        sources=("src/shared", "src/web", "src/mail"),
        requirements="web.txt",
        build_packages=("gcc", "g++"),
        secrets=(index, netrc),
        publish=80,
        needs=("postgres", "mail"),
        size_budget=1_610_612_736,
        description="What people see",
        environment=(
            Variable("LEVEL", ("warning",)),
            own_token,
            Variable("DATABASE", ("pg://me:", password, "@postgres:5432/mail:25")),
        ),
    )
    mail = Service(
        name="mail",
        image="team/mail-of-shop",
        base=own,
        module="web",
        port=25,
        user=User("shop", 10002),
        health="/alive",
        ready="/set",
        metrics="/figures",
        install="source",
        package=None,
        source_root="src",
        sources=("src/shared", "src/web", "src/mail"),
        requirements="web.txt",
        build_packages=("gcc", "g++"),
        secrets=(index, netrc),
        publish=8025,
        needs=(),
        size_budget=1_610_612_736,
        description="What they read",
        environment=(level, own_token, Variable("FROM", ("a@", token, password))),
    )
    chat = Service(
        name="chat",
        image="team/chat-of-shop",
        base=python,
        module="shop.chat",
        port=8000,
        user=User("shop", 10001),
        health="/health",
        ready="/ready",
        metrics="/metrics",
        install="package",
        package=Package("shop", "wheels"),
        source_root="src",
        sources=(),
        requirements=None,
        build_packages=("gcc",),
        secrets=(index,),
        publish=None,
        needs=(),
        size_budget=180_000_000,
        description="",
        environment=(level, own_token),
    )
    bot = msgspec.structs.replace(
        chat,
        name="bot",
        image="team/bot-of-shop",
        module="shop.bot",
        package=Package("shop-bot", None),
    )
    assert load(file) == Project(
        root=folder,
        file=file,
        name="shop",
        source="https://git.example/shop",
        licenses="MIT",
        tags=("{version}", "latest"),
        bases=(python, own),
        mirrors=(("docker.io", "mirror.example:5000/hub"),),
        registries=(Registry("ghcr", "ghcr.io/org"), Registry("near", "localhost:5000")),
        infrastructure=(
            Infrastructure(
                "postgres",
                "postgres:15",
                port=5432,
                command=("postgres", "-c", "fsync=off"),
                environment=(Variable("POSTGRES_PASSWORD", (password,)),),
                health=("pg_isready", "-q"),
                data="/var/lib/postgresql/data",
            ),
            Infrastructure("relay", "relay:1"),
        ),
        ignore=("**/*.orig",),
        services=(web, mail, chat, bot),
        environments=(
            Environment(
                name="dev",
                images="built",
                registry=None,
                environment=(Variable("STAGE", ("dev",)),),
                given=(("TOKEN", "for-development"),),
                publish=("web", "mail"),
                read_only=False,
                scales=tuple((name, Scale()) for name in ("web", "mail", "chat", "bot")),
            ),
            Environment(
                name="prod",
                images="released",
                registry="localhost:5000",
                environment=(),
                given=(),
                publish=("web",),
                read_only=True,
                scales=(
                    ("web", Scale()),
                    ("mail", Scale(2, 1_610_612_736, (Variable("FROM", ("b@", token)),))),
                    ("chat", Scale()),
                    ("bot", Scale()),
                ),
            ),
            Environment(
                name="eu",
                images="released",
                registry="registry.example/eu",
                environment=(),
                given=(),
                publish=("web", "mail"),
                read_only=False,
                scales=tuple((name, Scale()) for name in ("web", "mail", "chat", "bot")),
            ),
        ),
    )


def test_what_is_left_out(file: Path) -> None:
    project = load(file)
    assert project.tags == ("{tag}", "{version}", "{major}.{minor}", "{major}", "latest")
    assert [service.image for service in project.services] == ["shop-web", "shop-mail"]
    assert (project.source, project.licenses, project.mirrors, project.registries) == ("", "", (), ())
    mail = project.services[1]
    assert (mail.install, mail.source_root, mail.publish, mail.size_budget) == ("source", ".", None, None)
    assert (mail.environment, project.environments) == ((), ())
    assert project.infrastructure == (Infrastructure("postgres", "postgres:15", None, (), (), (), None),)


def test_an_environment_of_which_nothing_is_said(file: Path) -> None:
    file.write_text(f"{file.read_text()}environments: {{prod: {{}}}}\n")
    assert load(file).environments == (
        Environment(
            name="prod",
            images="released",
            registry=None,
            environment=(),
            given=(),
            publish=("web",),
            read_only=False,
            scales=(("web", Scale(1, None, ())), ("mail", Scale(1, None, ()))),
        ),
    )


def test_what_an_environment_says_of_a_variable_counts_and_of_one_service_more(file: Path) -> None:
    text = file.read_text().replace(
        "publish: 8001", "publish: 8001\n    environment: {A: own, B: own, C: own}"
    )
    file.write_text(
        f"{text}environments: {{prod: {{environment: {{D: all, B: all, C: all}}, "
        "services: {web: {environment: {C: one, E: one}}}}}\n"
    )
    project = load(file)
    (prod,), (web, mail) = project.environments, project.services
    assert [(v.name, v.parts) for v in prod.variables("web", web.environment)] == [
        ("A", ("own",)),
        ("B", ("all",)),
        ("C", ("one",)),
        ("D", ("all",)),
        ("E", ("one",)),
    ]
    assert [(v.name, v.parts) for v in prod.variables("mail", mail.environment)] == [
        ("D", ("all",)),
        ("B", ("all",)),
        ("C", ("all",)),
    ]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("180MB", 180_000_000),
        ("180 MB", 180_000_000),
        ("0.5kB", 500),
        ("170MiB", 178_257_920),
        ("1GiB", 1 << 30),
    ],
)
def test_sizes(file: Path, text: str, size: int) -> None:
    file.write_text(file.read_text().replace("publish: 8001", f"size_budget: {text}"))
    assert load(file).services[0].size_budget == size


def test_a_source_within_another_is_there_once(file: Path) -> None:
    file.write_text(file.read_text().replace("sources: [src/web]", "sources: [src]"))
    assert load(file).services[0].sources == ("src",)


def test_a_link_within_the_project_is_a_source(file: Path) -> None:
    file.write_text(file.read_text().replace("src/web]", "src/inner]").replace("src.web", "src.inner"))
    assert load(file).services[0].sources == ("src/shared", "src/inner")


def test_the_project_is_where_the_file_is(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path.cwd()
    monkeypatch.chdir("/")
    project = load(folder / file)
    assert (project.root, project.file) == (folder, folder / "streamflow.yaml")


def test_the_platform() -> None:
    project = load(ROOT / "streamflow.yaml")
    assert [service.name for service in project.services] == [
        "ingestion",
        "analytics",
        "alerting",
        "dashboard",
        "storage",
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "none.yaml",
            (
                "none.yaml: there is no such file (looked in /project).\n"
                "Run this in the project's folder, or name the file: streamflow-build --config PATH …"
            ),
        ),
        (
            "src",
            "src: this is a folder.\nGive the file itself, such as --config streamflow.yaml.",
        ),
        (
            "/dev/null",
            "/dev/null: this is not a regular file.\nGive the file itself, such as --config streamflow.yaml.",
        ),
        (
            "web.txt/streamflow.yaml",
            "web.txt/streamflow.yaml: can't be read: Not a directory.\nCheck the path and its permissions.",
        ),
        (
            "src/round/streamflow.yaml",
            (
                "src/round/streamflow.yaml: can't be read: Too many levels of symbolic links.\n"
                "Check the path and its permissions."
            ),
        ),
        ("a\0b", "'a\\x00b' is not a path.\nGive the path of streamflow.yaml."),
    ],
)
def test_a_file_that_cannot_be_read(folder: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(Path(name))
    assert str(caught.value).replace(str(folder), "/project") == message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"project: shop\nlicenses: caf\xe9\n",
            "streamflow.yaml:2:14: the file is not UTF-8 text\nSave it as UTF-8.",
        ),
        (
            "project: shop".encode("utf-16"),
            "streamflow.yaml:1:1: the file is not UTF-8 text\nSave it as UTF-8.",
        ),
        (
            b"#" * 1_000_001,
            (
                "streamflow.yaml: the file has 1,000,001 bytes; streamflow.yaml has at most 1,000,000.\n"
                "Check that --config names the right file."
            ),
        ),
        (
            b"\xef\xbb\xbf",
            "streamflow.yaml: the file is empty.\nIt needs at least the keys project, bases and services.",
        ),
    ],
)
def test_a_file_that_is_no_text(folder: Path, content: bytes, message: str) -> None:
    file = Path("streamflow.yaml")
    file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value) == message


def test_a_file_that_no_memory_holds(file: Path) -> None:
    os.truncate(file, 200 * 2**30)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value) == (
        "streamflow.yaml: the file has 214,748,364,800 bytes; streamflow.yaml has at most 1,000,000.\n"
        "Check that --config names the right file."
    )


def test_credentials_never_show(file: Path) -> None:
    text = file.read_text()
    for secret in ("https://joe:hunter2@git.example/shop", "joe:hunter2@ghcr.io/org", "joe:hunter2@x"):
        for place in ("python:3.11-slim", "postgres:15", "src/web", "8001"):
            file.write_text(text.replace(place, f'"{secret}"'))
            with pytest.raises(ConfigError) as caught:
                load(file)
            assert "hunter2" not in str(caught.value)
