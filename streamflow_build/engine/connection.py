"""The way to the engine: which one, a client per thread, and what its failures mean to the rest of the tool."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import docker
import requests
import urllib3
from docker.context import ContextAPI
from docker.errors import APIError, DockerException
from docker.utils import kwargs_from_env

from streamflow_build.errors import EngineError

OLDEST_API = (1, 42)
"""Engine 23, the first whose BuildKit has all that the tool's builds use."""
NEWEST_API = (1, 51)
"""Later engines are spoken to as Engine 28: from 1.53 on ``POST /session`` is on its way out."""

_START = (
    'Start Docker, or, in a checkout of the project, run `make engine` and `eval "$(scripts/engine env)"`.'
)
_WENT_AWAY = (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError,
              requests.exceptions.ChunkedEncodingError, http.client.HTTPException, OSError)  # fmt: skip


class Connection:
    """An engine that answered, and a docker-py client of it for each thread which asks."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Find the engine as the docker program does (DOCKER_HOST, else the current context) and greet it.

        Raises EngineError where none answers, or it is too old, or has no BuildKit.
        """
        self.address, self._client_arguments = _address(environ)
        self._clients: list[docker.APIClient] = []
        self._per_thread = threading.local()
        self._api_version = ".".join(map(str, NEWEST_API))
        self._api_version = self._greet()

    @property
    def client(self) -> docker.APIClient:
        """This thread's client."""
        client: docker.APIClient | None = getattr(self._per_thread, "client", None)
        if client is None:
            client = self._connect()
            self._per_thread.client = client
            self._clients.append(client)
        return client

    def close(self) -> None:
        """Close every thread's client."""
        for client in self._clients:
            client.close()

    def answers(self) -> bool:
        """Whether the engine is still there."""
        try:
            with self.errors():
                self.client.ping()
        except (EngineError, APIError):
            return False
        return True

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Translate what means that the engine is gone; an APIError, which it answered itself, goes through."""
        try:
            yield
        except APIError:
            raise
        except _WENT_AWAY as error:
            raise EngineError(
                f"The Docker Engine at {self.address} went away: {_reason(error)}.", hint=_START
            ) from error

    def refused(self, doing: str, error: APIError) -> EngineError:
        """The error for a request that the engine answered with a refusal nobody expects."""
        return EngineError(f"The Docker Engine at {self.address} refused {doing}: {explanation(error)}")

    def _connect(self) -> docker.APIClient:
        try:
            client = docker.APIClient(version=self._api_version, **self._client_arguments)
        except (DockerException, ValueError) as error:
            raise EngineError(
                f"The Docker Engine at {self.address} can't be used: {error}", hint=_START
            ) from error
        if self.address.startswith("unix://"):
            # No proxy stands before a socket, and looking for one costs more than the request does.
            client.trust_env = False
        return client

    def _greet(self) -> str:
        try:
            client = self.client
            answer = client._get(client._url("/_ping", versioned_api=False), timeout=20)  # noqa: SLF001
        except (requests.RequestException, OSError) as error:
            raise EngineError(
                f"No Docker Engine answers at {self.address}: {_reason(error)}.", hint=_START
            ) from error
        if answer.status_code != http.HTTPStatus.OK or "Api-Version" not in answer.headers:
            raise EngineError(f"What answers at {self.address} is no Docker Engine.", hint=_START)
        api = tuple(int(part) for part in answer.headers["Api-Version"].split("."))
        if api < OLDEST_API:
            raise EngineError(
                f"The Docker Engine at {self.address} is too old: it speaks API {answer.headers['Api-Version']}, "
                "and images are built with API 1.42 or newer.",
                hint="Install Docker Engine 23 or newer.",
            )
        if answer.headers.get("Builder-Version") != "2":
            raise EngineError(
                f"The Docker Engine at {self.address} builds without BuildKit, and the images need it.",
                hint='Use a Linux engine, and remove `"features": {"buildkit": false}` from its daemon.json.',
            )
        version = ".".join(map(str, min(api, NEWEST_API)))
        client._version = version  # noqa: SLF001
        return version


def explanation(error: APIError) -> str:
    """What the engine said, without docker-py's wrapping."""
    return str(error.explanation or error).strip()


def _address(environ: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Where the engine is, for people, and the arguments for a client of it."""
    try:
        arguments: dict[str, Any] = kwargs_from_env(environment=dict(environ))
        if "base_url" not in arguments:
            arguments = {**ContextAPI.kwargs_from_context(environment=dict(environ)), **arguments}
    except (DockerException, ValueError, OSError) as error:
        raise EngineError(f"Docker's configuration names no usable engine: {error}", hint=_START) from error
    address = str(arguments.get("base_url") or "unix:///var/run/docker.sock").replace(
        "http+unix://", "unix://"
    )
    if address.startswith("ssh://"):
        raise EngineError(
            f"The Docker Engine at {address} is reached over SSH, which builds can't use.",
            hint="Forward its socket, `ssh -NL /tmp/docker.sock:/var/run/docker.sock HOST`, and set "
            "DOCKER_HOST=unix:///tmp/docker.sock.",
        )
    return address, arguments


def _reason(error: BaseException) -> str:
    """The system's words at the bottom of requests' and urllib3's stack of errors."""
    seen: BaseException = error
    while True:
        below = (
            seen.__cause__
            or seen.__context__
            or next((a for a in seen.args if isinstance(a, BaseException)), None)
        )
        if below is None:
            break
        seen = below
    if isinstance(seen, OSError) and seen.strerror:
        return seen.strerror
    return str(seen) or type(seen).__name__


def decoded(line: bytes) -> dict[str, Any]:
    """One message of a stream of JSON messages."""
    message = json.loads(line)
    return message if isinstance(message, dict) else {}
