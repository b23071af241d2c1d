"""What the engine's words become; they are quoted as Engine 28.5 says them."""

from __future__ import annotations

import pytest

from streamflow_build.engine.failure import failure
from streamflow_build.engine.messages import StatusResponse
from streamflow_build.engine.trace import Trace
from streamflow_build.model.image import BuildRequest, ContextFile

REQUEST = BuildRequest(
    service="ingestion",
    dockerfile="Dockerfile",
    context=(ContextFile("Dockerfile", 0o644, b"FROM python:3.11-slim\nRUN make\n"),),
    labels={},
    build_args={},
    tags=(),
    no_cache=False,
    secrets={},
)
EXIT = 'process "/bin/sh -c make" did not complete successfully: exit code: '
REQUIREMENT = (
    "Correct it in the service's requirements; an index of your own is named in pip.conf or PIP_INDEX_URL."
)
CREDENTIALS = "Check the user and the password of the index in PIP_INDEX_URL and in pip.conf."
NETWORK = "Run the command again; if it stays so, see that containers reach the network and its name server."
DISK = (
    "`docker system df` shows what fills it; `docker builder prune` and `docker image prune` free the most."
)


def failed(message: str, printed: str = "") -> tuple[str, str | None]:
    trace = Trace()
    status = StatusResponse()
    step = status.vertexes.add(digest="d", name="[2/2] RUN make", error=message)
    step.started.seconds, step.completed.seconds = 1, 2
    status.logs.add(vertex="d", msg=printed.encode())
    list(trace.events(status.SerializeToString()))
    error = failure(REQUEST, trace, message)
    return error.message, error.hint


@pytest.mark.parametrize(
    ("message", "printed", "said", "hint"),
    [
        (f"{EXIT}3", "", "The command ended with exit code 3.", None),
        (
            f"{EXIT}137",
            "",
            "The command was killed (exit code 137).",
            "Most often the engine's machine ran out of memory; build fewer images at once with --jobs.",
        ),
        (
            "failed to copy: write /var/lib/docker/x: no space left on device",
            "",
            "The engine's disk is full: no space left on device.",
            DISK,
        ),
        (
            f"{EXIT}1",
            "OSError: [Errno 28] No space left on device\n",
            "The engine's disk is full: no space left on device.",
            DISK,
        ),
        (
            f"{EXIT}1",
            ("ERROR: Could not find a version that satisfies the requirement idna==999 (from: 3.10)\n"
            "ERROR: No matching distribution found for idna==999\n"),
            "The requirement idna==999 does not exist in the package index.",
            REQUIREMENT,
        ),
        (
            f"{EXIT}1",
            ("WARNING: Retrying (Retry(total=4, connect=None)) after connection broken by 'NewConnectionError'\n"
            "ERROR: No matching distribution found for idna==999\n"),
            "The requirement idna==999 does not exist in the package index.",
            REQUIREMENT,
        ),
        (
            f"{EXIT}1",
            ("WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError'\n"
            "ERROR: No matching distribution found for uv==0.9.7\n"),
            "The package index can't be reached from inside the build.",
            NETWORK,
        ),
        (
            f"{EXIT}1",
            ("  \u00d7 No solution found when resolving dependencies:\n"
            "  ╰─▶ Because there is no version of idna==999 and you require\n      idna==999, we can\n"),
            "The requirement idna==999 does not exist in the package index.",
            REQUIREMENT,
        ),
        (
            f"{EXIT}1",
            ("error: No solution found when resolving dependencies\n  cause: Because nope was not found in "
            "the package registry and you require nope==1.0, we can conclude that your requirements are\n"),
            "The requirement nope==1.0 does not exist in the package index.",
            REQUIREMENT,
        ),
        (
            f"{EXIT}1",
            ("WARNING: 401 Error, Credentials not correct for https://index.test/simple/uv/\n"
            "ERROR: No matching distribution found for uv==0.9.7\n"),
            "The package index refused the credentials.",
            CREDENTIALS,
        ),
        (
            f"{EXIT}1",
            ("error: Failed to fetch: `https://index.test/simple/idna/`\n  cause: HTTP status client error "
            "(403\n  Forbidden) for url (https://index.test/simple/idna/)\n"),
            "The package index refused the credentials.",
            CREDENTIALS,
        ),
        (
            f"{EXIT}100",
            "Err:1 http://debian.test/debian bookworm/main amd64 gcc\n  403  Forbidden [IP: 10.0.0.1 80]\n",
            "The command ended with exit code 100.",
            None,
        ),
        (
            f"{EXIT}1",
            "error: Failed to download `idna==3.10`\n  cause: Hash mismatch for `idna==3.10`\n",
            "What the package index holds as idna==3.10 has another hash than the one locked.",
            "Lock the service's requirements again, if the index is to be trusted.",
        ),
        (
            f"{EXIT}2",
            "  cause: invalid peer certificate: UnknownIssuer\n",
            "A server's certificate is not trusted inside the build.",
            "Name a bundle that holds its authority in SSL_CERT_FILE; builds are given that bundle.",
        ),
        (
            f"{EXIT}2",
            ("error: Request failed after 3 retries in 24.7s\n  cause: Failed to fetch: "
            "https://index.test/simple/idna/\n  cause: error sending request for url "
            "(https://index.test/simple/idna/)\n  cause: client error (Connect)\n  cause: dns error\n"),
            "https://index.test can't be reached from inside the build.",
            NETWORK,
        ),
        (
            "secret token: not found",
            "",
            "The step needs the secret 'token', which the build was not given.",
            "Declare it under the service's `secrets` in streamflow.yaml.",
        ),
        ("something new", "", "Something new", None),
    ],
    ids=[
        "exit code", "killed", "disk full", "disk full in the step", "pip", "pip, the second time", "pip, cut off",
        "uv, wrapped", "uv",
        "pip, refused", "uv, refused", "apt, refused", "hash",
        "certificate", "no network",
        "secret", "unknown",
    ],
)  # fmt: skip
def test_a_known_cause_is_said_in_plain_words(
    message: str, printed: str, said: str, hint: str | None
) -> None:
    assert failed(message, printed) == (said, hint)


def test_a_base_that_can_not_be_had() -> None:
    base = "docker.io/library/python:3.11-slim"
    words = f"python:3.11-slim: failed to resolve source metadata for {base}: no such host"
    error = failure(REQUEST, Trace(), words)
    assert str(error) == (
        "The base image python:3.11-slim is not available: no such host\n"
        "Check its name, that the engine reaches its registry, and `docker login`; `mirrors:` in "
        "streamflow.yaml names another source for it."
    )
    assert (error.step, error.dockerfile_line, error.output) == (None, 1, ())


def test_a_dockerfile_that_does_not_parse() -> None:
    error = failure(REQUEST, Trace(), "dockerfile parse error on line 2: unknown instruction: FOO")
    assert str(error) == "Dockerfile parse error on line 2: unknown instruction: FOO"
    assert error.dockerfile_line == 2


def test_a_file_that_is_not_in_the_context() -> None:
    words = 'failed to compute cache key: failed to calculate checksum of ref a-b::c: "/nope": not found'
    error = failure(REQUEST, Trace(), words)
    assert str(error) == (
        "nope is not in the build context.\n"
        "Declare it under `sources` in streamflow.yaml, and see that .dockerignore lets it through."
    )
