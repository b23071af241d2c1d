"""A secret reaches the step that asks for it and stays nowhere else."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from streamflow_build.engine.docker_engine import DockerEngine
from streamflow_build.engine.interface import BuildEvent, StepFailed, StepOutput
from streamflow_build.model.image import BuildRequest

RequestOf = Callable[..., BuildRequest]


def test_a_secret_reaches_its_step_and_no_layer(
    engine: DockerEngine, request_of: RequestOf, token: str, live: object
) -> None:
    value = f"s3cret-{token[::-1]}"
    events: list[BuildEvent] = []
    request = request_of(
        "RUN --mount=type=secret,id=token,required=true \\\n"
        "  --mount=type=secret,id=pip-conf,target=/etc/pip.conf,required=false \\\n"
        "  --mount=type=secret,id=absent,target=/etc/absent,required=false \\\n"
        '  read -r token < /run/secrets/token; read -r conf < /etc/pip.conf; test "$token" = "$conf"; \\\n'
        "  echo ${#token} {token}; test ! -e /etc/absent; mkdir /made\n",
        secrets={"token": f"{value}\n".encode(), "pip-conf": f"{value}\n".encode()},
    )

    built = engine.build(request, events.append)

    assert [event.line for event in events if isinstance(event, StepOutput)] == [f"{len(value)} {token}"]
    described = json.dumps([live.api.inspect_image(built.image.id), live.api.history(built.image.id)])
    assert value not in described
    assert value not in repr(events)
    assert value not in repr(request)
    saved = b"".join(live.api.get_image(built.image.id))
    assert value.encode() not in saved
    files = _files(saved)
    assert "made" in files
    assert not any(value.encode() in content for content in files.values())


def test_a_secret_that_the_build_was_not_given_is_named(engine: DockerEngine, request_of: RequestOf) -> None:
    with pytest.raises(StepFailed) as failure:
        engine.build(
            request_of("RUN --mount=type=secret,id=token,required=true echo {token}\n"), lambda _: None
        )
    assert str(failure.value) == (
        "The step needs the secret 'token', which the build was not given.\n"
        "Declare it under the service's `secrets` in streamflow.yaml."
    )
    assert failure.value.dockerfile_line == 2


def test_a_secret_of_the_largest_size_arrives(engine: DockerEngine, request_of: RequestOf) -> None:
    lines: list[str] = []
    engine.build(
        request_of(
            "RUN --mount=type=secret,id=large stat -c %s /run/secrets/large; echo {token}\n",
            secrets={"large": b"x" * 500 * 1024},
        ),
        lambda event: lines.append(event.line) if isinstance(event, StepOutput) else None,
    )
    assert lines[0] == "512000"


def test_a_larger_one_is_refused_before_the_build(engine: DockerEngine, request_of: RequestOf) -> None:
    with pytest.raises(StepFailed) as failure:
        engine.build(
            request_of("RUN echo {token}\n", secrets={"large": b"x" * (500 * 1024 + 1)}), lambda _: None
        )
    assert (
        str(failure.value) == "The secret 'large' has 512001 bytes, and a build can be given 512000 at most."
    )


def test_the_hosts_bundle_is_in_place_where_the_dockerfiles_want_it(
    engine: DockerEngine, request_of: RequestOf, tmp_path: Path
) -> None:
    lines: list[str] = []
    target = "/etc/ssl/certs/ca-certificates.crt"
    engine.build(
        request_of(
            f"RUN --mount=type=secret,id=ca,target={target},required=false cat {target}; echo {{token}}\n",
            secrets={"ca": b"the bundle\n"},
        ),
        lambda event: lines.append(event.line) if isinstance(event, StepOutput) else None,
    )
    assert lines[0] == "the bundle"


def _files(saved: bytes) -> dict[str, bytes]:
    """Every file of every layer of a saved image, unpacked."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(saved)) as image:
        for name in json.load(image.extractfile("manifest.json"))[0]["Layers"]:
            with tarfile.open(fileobj=image.extractfile(name)) as layer:
                for entry in layer:
                    content = layer.extractfile(entry) if entry.isreg() else None
                    found[entry.name] = content.read() if content else b""
    return found
