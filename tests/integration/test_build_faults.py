"""What a user reads when there is no engine, the wrong one, or one that fails in the middle."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from streamflow_build.engine.docker_engine import DockerEngine, connect
from streamflow_build.engine.interface import BuildEvent, StepFailed, StepOutput
from streamflow_build.errors import EngineError
from streamflow_build.model.image import BuildRequest

# A local socket that couldn't connect is left open by docker-py, and Python says so.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
RequestOf = Callable[..., BuildRequest]
START = (
    "Start Docker, or name a running engine in DOCKER_HOST; in a checkout of the project, "
    '`scripts/engine start` makes a private one and `eval "$(scripts/engine env)"` names it.'
)


@pytest.fixture(autouse=True)
def _sockets_that_docker_py_leaves() -> Iterator[None]:
    """Let Python find them before another test begins, which it would fail."""
    yield
    gc.collect()


def no_engine(environ: dict[str, str]) -> str:
    with pytest.raises(EngineError) as error:
        connect(environ)
    assert error.value.exit_code == 3
    return str(error.value)


def test_no_engine_where_docker_host_points(tmp_path: Path) -> None:
    host = f"unix://{tmp_path}/docker.sock"
    assert no_engine({"DOCKER_HOST": host}) == (
        f"No Docker Engine answers at {host} (from DOCKER_HOST): No such file or directory.\n{START}"
    )
    assert no_engine({"DOCKER_HOST": "tcp://127.0.0.1:1"}) == (
        f"No Docker Engine answers at tcp://127.0.0.1:1 (from DOCKER_HOST): Connection refused.\n{START}"
    )


def test_an_engine_over_ssh_is_refused() -> None:
    assert no_engine({"DOCKER_HOST": "ssh://build@example.test"}) == (
        "The Docker Engine at ssh://build@example.test (from DOCKER_HOST) is reached over SSH, which builds "
        "can't use.\nForward its socket with `ssh -NL /tmp/docker.sock:/var/run/docker.sock HOST` and set "
        "DOCKER_HOST=unix:///tmp/docker.sock."
    )


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (
            {"Api-Version": "1.41", "Builder-Version": "2"},
            (
                "The Docker Engine at {} is too old: it speaks API 1.41, and builds need 1.42.\n"
                "Install Docker Engine 23 or newer."
            ),
        ),
        (
            {"Api-Version": "1.51", "Builder-Version": "1"},
            (
                "The Docker Engine at {} builds without BuildKit, which builds need.\n"
                'Use a Linux engine whose daemon.json doesn\'t say `"features": {{"buildkit": false}}`.'
            ),
        ),
        ({}, f"What answers at {{}} (from DOCKER_HOST) is no Docker Engine.\n{START}"),
    ],
    ids=["old", "without BuildKit", "something else"],
)
def test_an_engine_that_can_not_build_is_refused(
    headers: dict[str, str], said: str, http_server: Callable[[type[BaseHTTPRequestHandler]], int]
) -> None:
    class Engine(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    host = f"tcp://127.0.0.1:{http_server(Engine)}"
    assert no_engine({"DOCKER_HOST": host}) == said.format(host)


def test_an_engine_that_dies_in_the_middle_of_a_build(
    proxied: tuple[Any, dict[str, str]], request_of: RequestOf
) -> None:
    proxy, environ = proxied
    engine = connect(environ)

    def observe(event: BuildEvent) -> None:
        if isinstance(event, StepOutput):
            proxy.cut()

    with pytest.raises(EngineError) as error:
        engine.build(request_of("RUN echo {token}; sleep 100000\n"), observe)
    host = environ["DOCKER_HOST"]
    assert error.value.message.startswith(f"The Docker Engine at {host} went away while it built x: ")
    assert error.value.hint == START
    with pytest.raises(EngineError) as error:
        engine.image("streamflow-ingestion:latest")
    assert error.value.message.startswith(f"The Docker Engine at {host} went away: ")
    engine.close()


def test_a_full_disk_is_named(engine: DockerEngine, request_of: RequestOf) -> None:
    with pytest.raises(StepFailed) as failure:
        engine.build(
            request_of(
                "RUN --mount=type=tmpfs,target=/full,size=65536 dd if=/dev/zero of=/full/{token} bs=65536\n"
            ),
            lambda _: None,
        )
    assert str(failure.value) == (
        "The engine's disk is full: no space left on device.\n"
        "`docker system df` shows what fills it; `docker builder prune` and `docker image prune` free the "
        "most."
    )


@pytest.mark.parametrize(
    ("dockerfile", "message", "line"),
    [
        ("FOO bar\n", "Dockerfile parse error on line 2: unknown instruction: FOO (did you mean FROM?)", 2),
        ("RUN ['not', json\n", "The command ended with exit code 127.", 2),
        ("RUN true\nCOPY --from=nowhere-{token} / /\n", None, 3),
    ],
)
def test_a_dockerfile_that_is_wrong(
    dockerfile: str, message: str | None, line: int, engine: DockerEngine, request_of: RequestOf
) -> None:
    with pytest.raises(StepFailed) as failure:
        engine.build(request_of(dockerfile), lambda _: None)
    if message:
        assert failure.value.message == message
    assert failure.value.dockerfile_line == line
