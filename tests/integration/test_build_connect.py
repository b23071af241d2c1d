"""How the engine is found, and what Docker's own configuration brings into a build."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from streamflow_build.engine.credentials import credentials
from streamflow_build.engine.docker_engine import DockerEngine, connect
from streamflow_build.engine.interface import StepOutput
from streamflow_build.errors import EngineError, RegistryError
from streamflow_build.model.image import BuildRequest


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path


def context(configuration: Path, name: str, meta: object) -> None:
    place = configuration / "contexts/meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(meta))


def test_the_current_docker_context_leads_to_the_engine(default_store: Any, configuration: Path) -> None:
    (configuration / "config.json").write_text(json.dumps({"currentContext": "mine"}))
    host = default_store.address
    context(configuration, "mine", {"Name": "mine", "Metadata": {}, "Endpoints": {"docker": {"Host": host}}})
    for environ in ({"LANG": "C"}, {"DOCKER_CONTEXT": "mine"}):
        engine = connect(environ)
        assert engine.info().version == default_store.api.version()["Version"]
        engine.close()


def test_docker_host_goes_before_the_context(default_store: Any, configuration: Path) -> None:
    (configuration / "config.json").write_text(json.dumps({"currentContext": "gone"}))
    connect({"DOCKER_HOST": default_store.address}).close()


def test_a_context_that_does_not_exist_is_named(configuration: Path) -> None:
    (configuration / "config.json").write_text(json.dumps({"currentContext": "gone"}))
    for environ, name in (({"LANG": "C"}, "gone"), ({"DOCKER_CONTEXT": "other"}, "other")):
        with pytest.raises(EngineError) as error:
            connect(environ)
        assert str(error.value) == (
            f"The docker context {name!r} does not exist.\n"
            "`docker context ls` lists those that do; `docker context use default` goes back."
        )


def test_a_broken_context_is_named(configuration: Path) -> None:
    (configuration / "config.json").write_text("{}")
    context(configuration, "broken", {"Name": "broken"})
    with pytest.raises(EngineError, match=r"^The docker context 'broken' is broken[.]$"):
        connect({"DOCKER_CONTEXT": "broken"})


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"DOCKER_HOST": "nonsense://x"}, "The Docker Engine at nonsense://x can't be used: "),
        (
            {"DOCKER_HOST": "nonsense://me:hunter2/@x"},
            "The Docker Engine at nonsense://me:***@x can't be used: ",
        ),
        (
            {"DOCKER_HOST": "tcp://me:hunter2@127.0.0.1:1"},
            "The Docker Engine at tcp://me:***@127.0.0.1:1 can't be used: ",
        ),
        (
            {"DOCKER_HOST": "ssh://me:hunter2@nowhere.test"},
            "The Docker Engine at ssh://me:***@nowhere.test (from DOCKER_HOST) is reached over SSH",
        ),
        (
            {"DOCKER_HOST": "tcp://127.0.0.1:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/nope"},
            "Docker's configuration names no usable engine: ",
        ),
    ],
)
def test_a_broken_environment_is_named(environ: dict[str, str], said: str) -> None:
    with pytest.raises(EngineError) as error:
        connect(environ)
    assert error.value.message.startswith(said)
    assert "hunter2" not in str(error.value)


class _Stranger(BaseHTTPRequestHandler):
    """Answers as no engine does."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Api-Version", "banana")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def test_a_server_that_is_no_engine_is_told_apart() -> None:
    with HTTPServer(("127.0.0.1", 0), _Stranger) as server:
        threading.Thread(target=server.serve_forever).start()
        address = f"tcp://127.0.0.1:{server.server_port}"
        with pytest.raises(EngineError) as error:
            connect({"DOCKER_HOST": address})
        server.shutdown()
    assert error.value.message == f"What answers at {address} (from DOCKER_HOST) is no Docker Engine."


def test_a_credential_helper_that_never_answers_is_not_waited_for(
    configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = configuration / "docker-credential-mute"
    helper.write_text("#!/bin/sh\nexec sleep 1000\n")
    helper.chmod(0o755)
    (configuration / "config.json").write_text(json.dumps({"credHelpers": {"ghcr.io": "mute"}}))
    monkeypatch.setenv("PATH", f"{configuration}:/usr/bin:/bin")
    monkeypatch.setattr("streamflow_build.engine.credentials.HELPER_SECONDS", 0.2)
    with pytest.raises(RegistryError) as error:
        credentials("ghcr.io")
    assert "docker-credential-mute gave no answer within 0.2 seconds" in error.value.message


def test_proxies_of_dockers_configuration_reach_steps_and_no_image(
    live: Any,
    configuration: Path,
    request_of: Callable[..., BuildRequest],
    tidy: Callable[[Any], None],
) -> None:
    proxy = "http://me:s3cret@proxy.test:3128"
    (configuration / "config.json").write_text(json.dumps({"proxies": {"default": {"httpProxy": proxy}}}))
    tidy(live)
    lines: list[str] = []
    engine: DockerEngine = connect(live.environ)
    built = engine.build(
        request_of("RUN echo $HTTP_PROXY {token}\n"),
        lambda event: lines.append(event.line) if isinstance(event, StepOutput) else None,
    )
    engine.close()
    assert lines[0].startswith(proxy)
    described = json.dumps([live.api.inspect_image(built.image.id), live.api.history(built.image.id)])
    assert "s3cret" not in described
