from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from streamflow_build.errors import ConfigError
from streamflow_build.model.project import Base, BuildSecret, Service, User
from streamflow_build.plan import secrets
from streamflow_build.plan.secrets import build_secrets, confidential

NOWHERE = {"PIP_CONFIG_FILE": "/dev/null"}


@pytest.fixture(autouse=True)
def _no_system_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_SYSTEM_BUNDLES", ())


def service(*named: BuildSecret) -> Service:
    return Service(
        name="ingestion",
        image="streamflow-ingestion",
        base=Base("python", "python:3.11-slim"),
        module="streamflow.ingestion",
        port=8000,
        user=User("streamflow", 10001),
        health="/health",
        ready="/ready",
        metrics="/metrics",
        install="source",
        package=None,
        source_root="services",
        sources=(),
        requirements=None,
        build_packages=(),
        secrets=named,
        publish=None,
        needs=(),
        size_budget=None,
        description="",
    )


def secrets_of(environ: dict[str, str], folder: Path, *named: BuildSecret) -> dict[str, bytes]:
    return build_secrets(service(*named), environ, folder, folder)


def test_a_machine_without_settings_gives_nothing(tmp_path: Path) -> None:
    assert secrets_of(NOWHERE, tmp_path) == {}


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT"])
def test_the_bundle_that_the_environment_names(name: str, tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(b"certificates")
    assert secrets_of({**NOWHERE, name: str(bundle)}, tmp_path) == {"ca": b"certificates"}


def test_the_systems_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(b"certificates")
    monkeypatch.setattr(secrets, "_SYSTEM_BUNDLES", (tmp_path / "none.pem", bundle))
    assert secrets_of({**NOWHERE, "REQUESTS_CA_BUNDLE": str(tmp_path)}, tmp_path) == {"ca": b"certificates"}


def test_a_bundle_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        secrets_of({**NOWHERE, "SSL_CERT_FILE": "/nope.pem"}, tmp_path)
    assert str(error.value) == (
        "/nope.pem, the CA bundle that SSL_CERT_FILE names, can't be read: No such file or directory.\n"
        "Make the file, or name another."
    )


def test_a_name_that_no_file_can_have_is_told_of(tmp_path: Path) -> None:
    place = f"/{'a' * 300}"
    with pytest.raises(ConfigError) as error:
        secrets_of({**NOWHERE, "SSL_CERT_FILE": place}, tmp_path)
    assert str(error.value) == (
        f"{place}, the CA bundle that SSL_CERT_FILE names, can't be read: File name too long.\n"
        "Make the file, or name another."
    )
    with pytest.raises(ConfigError) as error:
        secrets_of({"PIP_CONFIG_FILE": place}, tmp_path)
    assert str(error.value) == (
        f"pip's configuration {place} can't be read: File name too long.\n"
        "Fix the file; `pip config debug` shows which files pip reads."
    )


def test_a_bundle_over_the_limit_is_refused(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(b"x" * 512_001)
    with pytest.raises(ConfigError) as error:
        secrets_of({**NOWHERE, "SSL_CERT_FILE": str(bundle)}, tmp_path)
    assert str(error.value) == (
        f"{bundle}, the CA bundle that SSL_CERT_FILE names, can't be read: it has more than 512,000 bytes.\n"
        "Set SSL_CERT_FILE to a bundle with fewer certificates, such as the system's."
    )


def test_index_settings_of_the_environment_reach_pip_and_uv(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(b"certificates")
    environ = {
        **NOWHERE,
        "SSL_CERT_FILE": str(bundle),
        "PIP_INDEX_URL": "https://user:pass@index.test/simple",
        "PIP_EXTRA_INDEX_URL": "https://one.test/simple file:///opt/simple https://two.test/simple",
        "PIP_TRUSTED_HOST": "one.test",
        "PIP_FIND_LINKS": "/opt/wheels",
        "PIP_NO_INPUT": "1",
        "PIP_PROXY": "",
    }
    found = secrets_of(environ, tmp_path)
    assert found["pip-conf"].decode() == (
        "[global]\n"
        "extra-index-url = https://one.test/simple\n"
        "    https://two.test/simple\n"
        "index-url = https://user:pass@index.test/simple\n"
        "trusted-host = one.test\n"
        "cert = /etc/ssl/certs/ca-certificates.crt\n"
    )
    assert tomllib.loads(found["uv-conf"].decode()) == {
        "index-url": "https://user:pass@index.test/simple",
        "extra-index-url": ["https://one.test/simple", "https://two.test/simple"],
        "index-strategy": "unsafe-best-match",
        "allow-insecure-host": ["one.test"],
    }


def test_pips_files_are_merged_as_pip_does(tmp_path: Path) -> None:
    user = tmp_path / ".config/pip/pip.conf"
    user.parent.mkdir(parents=True)
    user.write_text(
        "[global]\nindex-url = https://user.test/simple\ntimeout = 20\nfind_links = https://links.test\n"
        "[install]\nindex-url = https://install.test/%41\n[wheel]\nindex-url = https://wheel.test\n"
    )
    legacy = tmp_path / ".pip/pip.conf"
    legacy.parent.mkdir()
    legacy.write_text("[global]\ntimeout = 5\nretries = 9\nindex-url = https://legacy.test\n")
    environ = {"XDG_CONFIG_DIRS": str(tmp_path / "xdg")}
    found = secrets_of(environ, tmp_path)["pip-conf"].decode()
    assert "index-url = https://install.test/%41\n" in found
    assert "timeout = 20\n" in found
    assert "retries = 9\n" in found
    assert "find-links = https://links.test\n" in found


def test_a_file_named_by_the_environment_replaces_the_users(tmp_path: Path) -> None:
    user = tmp_path / ".config/pip/pip.conf"
    user.parent.mkdir(parents=True)
    user.write_text("[global]\nindex-url = https://user.test/simple\nproxy = http://proxy.test\n")
    own = tmp_path / "own.conf"
    own.write_text("[global]\nindex-url = https://own.test/simple\n")
    found = secrets_of({"PIP_CONFIG_FILE": str(own)}, tmp_path)["pip-conf"].decode()
    assert "index-url = https://own.test/simple\n" in found
    assert "proxy" not in found


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            b"index-url = https://u:hunter2@x.test/simple\n",
            "line 1: an option stands before the first [section]",
        ),
        (b"[global]\nproxy = hunter2\nproxy = hunter2\n", "line 3: the option is there twice"),
        (b"[hunter2]\n[hunter2]\n", "line 2: the section is there twice"),
        (b"[global]\nhunter2\n\nhunter2@x.test\n", "line 2, 4: it is no `option = value`"),
        (b"[global]\nproxy = hunter2\xff\n", "it is no text in UTF-8"),
    ],
    ids=["no section", "option twice", "section twice", "no option", "encoding"],
)
def test_a_broken_configuration_of_pip_is_named_without_its_text(
    text: bytes, fault: str, tmp_path: Path
) -> None:
    own = tmp_path / "own.conf"
    own.write_bytes(text)
    with pytest.raises(ConfigError) as error:
        secrets_of({"PIP_CONFIG_FILE": str(own)}, tmp_path)
    assert str(error.value) == (
        f"pip's configuration {own} can't be read: {fault}.\n"
        "Fix the file; `pip config debug` shows which files pip reads."
    )
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


def test_named_secrets_come_from_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "token.txt").write_bytes(b"from the project")
    outside = tmp_path / "outside"
    outside.write_bytes(b"from outside")
    named = (
        BuildSecret("a", env="TOKEN"),
        BuildSecret("b", file="token.txt"),
        BuildSecret("c", file=str(outside)),
        BuildSecret("d", file="~/token.txt"),
        BuildSecret("e", env="EMPTY"),
    )
    assert secrets_of({**NOWHERE, "TOKEN": "t0ken", "EMPTY": ""}, tmp_path, *named) == {
        "a": b"t0ken",
        "b": b"from the project",
        "c": b"from outside",
        "d": b"from the project",
        "e": b"",
    }


def test_a_secret_of_the_environment_need_not_be_text(tmp_path: Path) -> None:
    ours = BuildSecret("token", env="TOKEN")
    environ = {**NOWHERE, "TOKEN": os.fsdecode(b"\xff\xfe")}
    assert secrets_of(environ, tmp_path, ours) == {"token": b"\xff\xfe"}


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_PROXY"])
def test_an_index_of_the_environment_that_is_no_text_is_named_without_its_value(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as error:
        secrets_of({**NOWHERE, name: os.fsdecode(b"https://u:hunter2\xff@x.test/simple")}, tmp_path)
    assert str(error.value) == (
        f"The environment variable {name} is not UTF-8 text, and no configuration of pip can hold it.\n"
        f"Set {name} anew, with what isn't ASCII in percent-encoding, or unset it."
    )
    assert error.value.__suppress_context__


def test_variables_of_pip_that_no_build_gets_may_be_anything(tmp_path: Path) -> None:
    assert secrets_of({**NOWHERE, "PIP_LOG": os.fsdecode(b"\xff")}, tmp_path) == {}


def test_what_nobody_may_be_shown(tmp_path: Path) -> None:
    environ = {
        **NOWHERE,
        "TOKEN": "named-value",
        "PIP_INDEX_URL": "https://user:p%40ss@index.test/simple",
        "PIP_EXTRA_INDEX_URL": "https://a-token@other.test/simple https://open.test/simple",
        "PIP_PROXY": "http://me:h@sh@proxy.test:3128",
    }
    ours = BuildSecret("token", env="TOKEN")
    shown_to_nobody = confidential(service(ours), secrets_of(environ, tmp_path, ours))
    assert shown_to_nobody == (b"named-value", b"a-token", b"h@sh", b"p%40ss", b"p@ss")


def test_a_secret_that_is_not_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        secrets_of(NOWHERE, tmp_path, BuildSecret("token", env="TOKEN"))
    assert str(error.value) == (
        "The service 'ingestion' needs the secret 'token', and TOKEN is not set.\n"
        "Set the environment variable TOKEN to its value."
    )
    with pytest.raises(ConfigError) as error:
        secrets_of(NOWHERE, tmp_path, BuildSecret("token", file="token.txt"))
    assert str(error.value) == (
        f"{tmp_path}/token.txt, the secret 'token' that the service 'ingestion' needs, can't be read: "
        "No such file or directory.\nMake the file, or name another."
    )


def test_a_secret_over_the_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        secrets_of({**NOWHERE, "TOKEN": "x" * 512_001}, tmp_path, BuildSecret("token", env="TOKEN"))
    assert str(error.value) == (
        "The secret 'token' of the service 'ingestion' has 512001 bytes, and a build can be given 512000 at "
        "most."
    )


@pytest.mark.parametrize("name", ["pipe", "/dev/zero"])
def test_what_is_no_file_is_neither_waited_for_nor_read_without_end(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    place = tmp_path / name
    with pytest.raises(ConfigError) as error:
        secrets_of({**NOWHERE, "SSL_CERT_FILE": str(place)}, tmp_path)
    assert str(error.value) == (
        f"{place}, the CA bundle that SSL_CERT_FILE names, can't be read: it is no file.\n"
        "Make the file, or name another."
    )
    with pytest.raises(ConfigError) as error:
        secrets_of(NOWHERE, tmp_path, BuildSecret("token", file=name))
    assert str(error.value) == (
        f"{place}, the secret 'token' that the service 'ingestion' needs, can't be read: it is no file.\n"
        "Make the file, or name another."
    )
    with pytest.raises(ConfigError) as error:
        secrets_of({"PIP_CONFIG_FILE": str(place)}, tmp_path)
    assert str(error.value) == (
        f"pip's configuration {place} can't be read: it is no file.\n"
        "Fix the file; `pip config debug` shows which files pip reads."
    )


def test_of_a_file_no_more_is_read_than_a_secret_may_have(tmp_path: Path) -> None:
    (tmp_path / "huge").touch()
    os.truncate(tmp_path / "huge", 200 * 2**30)
    with pytest.raises(ConfigError) as error:
        secrets_of(NOWHERE, tmp_path, BuildSecret("token", file="huge"))
    assert str(error.value) == (
        f"{tmp_path}/huge, the secret 'token' that the service 'ingestion' needs, can't be read: it has more than "
        "512,000 bytes.\nName a smaller file: a build can be given no more."
    )
    with pytest.raises(ConfigError) as error:
        secrets_of({"PIP_CONFIG_FILE": str(tmp_path / "huge")}, tmp_path)
    assert str(error.value) == (
        f"pip's configuration {tmp_path}/huge can't be read: it has more than 512,000 bytes.\n"
        "Fix the file; `pip config debug` shows which files pip reads."
    )


@pytest.mark.parametrize("name", ["folder", "missing", "file/below"])
def test_a_configuration_that_pip_passes_over_says_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    assert secrets_of({"PIP_CONFIG_FILE": str(tmp_path / name)}, tmp_path) == {}
