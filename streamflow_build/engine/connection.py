"""The way to the engine: which one, a client per thread, and what its failures mean to the tool."""

from __future__ import annotations

import http.client
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import docker
import requests
import urllib3
from docker.context import ContextAPI
from docker.context.config import get_current_context_name
from docker.errors import APIError, DockerException
from docker.utils import kwargs_from_env

from streamflow_build.engine.credentials import check_configuration
from streamflow_build.errors import EngineError
from streamflow_build.model.image import Layer

OLDEST_API = (1, 42)
"""Engine 23, the first whose BuildKit has all that the tool's builds use."""
NEWEST_API = (1, 51)
"""Later engines are spoken to as Engine 28: from 1.53 on ``POST /session`` is on its way out."""

_DEFAULT = "unix:///var/run/docker.sock"
_HELLO_SECONDS = 20
_START = (
    "Start Docker, or name a running engine in DOCKER_HOST; in a checkout of the project, "
    '`scripts/engine start` makes a private one and `eval "$(scripts/engine env)"` names it.'
)
_WENT_AWAY = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)


class Connection:
    """An engine that answered, and a docker-py client of it for each thread which asks."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Find the engine as the docker program does (DOCKER_HOST, else the current context) and greet it.

        Raises EngineError where none answers, or it is too old, or has no BuildKit.
        """
        check_configuration()
        self.address, self._origin, self._arguments = _address(environ)
        self.layers: dict[str, tuple[Layer, ...]] = {}
        """The layers of the images that were looked at, by the images' ids, under which they never change."""
        self._clients: list[docker.APIClient] = []
        self._per_thread = threading.local()
        self._version: tuple[int, ...] = NEWEST_API
        self._version = self._greet()

    @property
    def client(self) -> Any:
        """The asking thread's docker-py APIClient; docker-py's stubs know too little of it to be of use."""
        client = getattr(self._per_thread, "client", None)
        if client is None:
            client = self._connect()
            self._per_thread.client = client
            self._clients.append(client)
        return client

    @property
    def proxies(self) -> dict[str, str]:
        """The proxy variables that Docker's configuration has for builds; they stay out of images."""
        return dict(self.client._proxy_configs.get_environment())  # noqa: SLF001

    def get(self, path: str, **arguments: Any) -> requests.Response:
        """GET what docker-py has no method for; raises APIError for a refusal."""
        client = self.client
        response: requests.Response = client._get(client._url(path), **arguments)  # noqa: SLF001
        client._raise_for_status(response)  # noqa: SLF001
        return response

    def post(self, path: str, **arguments: Any) -> requests.Response:
        """POST to what docker-py has no method for; raises APIError for a refusal."""
        client = self.client
        response: requests.Response = client._post(client._url(path), **arguments)  # noqa: SLF001
        client._raise_for_status(response)  # noqa: SLF001
        return response

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
    def errors(self, during: str = "") -> Iterator[None]:
        """Translate what means that the engine is gone; an APIError, its own answer, goes through."""
        try:
            yield
        except APIError:
            raise
        except _WENT_AWAY as error:
            raise self.gone(_reason(error), during) from error

    def gone(self, reason: str, during: str = "") -> EngineError:
        """The error for an engine that doesn't answer any more."""
        return EngineError(f"The Docker Engine at {self.address} went away{during}: {reason}.", hint=_START)

    def refused(self, doing: str, error: APIError) -> EngineError:
        """The error for a request that the engine answered with a refusal nobody expects."""
        return EngineError(f"The Docker Engine at {self.address} refused {doing}: {explanation(error)}")

    def _connect(self) -> docker.APIClient:
        version = ".".join(map(str, self._version))
        try:
            client = docker.APIClient(version=version, **self._arguments)
        except (DockerException, ValueError) as error:
            raise EngineError(
                f"The Docker Engine at {self.address} can't be used: {_without_password(str(error))}",
                hint=_START,
            ) from None
        # REQUESTS_CA_BUNDLE would replace the engine's own authority, and looking for a proxy costs more than
        # a request does.
        client.trust_env = False
        return client

    def _greet(self) -> tuple[int, ...]:
        try:
            client = self.client
            answer = client._get(client._url("/_ping", versioned_api=False), timeout=_HELLO_SECONDS)  # noqa: SLF001
        except (requests.RequestException, OSError) as error:
            raise EngineError(
                f"No Docker Engine answers at {self.address} ({self._origin}): {_reason(error)}.", hint=_START
            ) from error
        spoken = answer.headers.get("Api-Version", "")
        if answer.status_code != http.client.OK or not re.fullmatch(r"\d+([.]\d+)+", spoken):
            raise EngineError(
                f"What answers at {self.address} ({self._origin}) is no Docker Engine.", hint=_START
            )
        api = tuple(int(part) for part in spoken.split("."))
        if api < OLDEST_API:
            raise EngineError(
                f"The Docker Engine at {self.address} is too old: it speaks API {spoken}, and builds need "
                "1.42.",
                hint="Install Docker Engine 23 or newer.",
            )
        if answer.headers.get("Builder-Version") != "2":
            raise EngineError(
                f"The Docker Engine at {self.address} builds without BuildKit, which builds need.",
                hint='Use a Linux engine whose daemon.json doesn\'t say `"features": {"buildkit": false}`.',
            )
        client._version = ".".join(map(str, min(api, NEWEST_API)))  # noqa: SLF001
        return min(api, NEWEST_API)


def explanation(error: APIError) -> str:
    """What the engine said, without docker-py's wrapping."""
    return str(error.explanation or error).strip()


def disconnect(response: requests.Response) -> None:
    """Make the thread that reads the engine's answer see its end."""
    connection = getattr(response.raw, "connection", None)
    if connection is not None and connection.sock is not None:
        with suppress(OSError):
            # Not SSLSocket's own shutdown, which would take the TLS state from under the reader.
            socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


def _address(environ: Mapping[str, str]) -> tuple[str, str, dict[str, Any]]:
    """Where the engine is, who says so, and the arguments for a client of it."""
    try:
        arguments: dict[str, Any] = {**kwargs_from_env(environment=dict(environ))}
        origin = "from DOCKER_HOST"
        if "base_url" not in arguments:
            arguments = {**_of_context(environ.get("DOCKER_CONTEXT")), **arguments}
            origin = "from the current docker context"
    except (DockerException, ValueError, OSError) as error:
        raise EngineError(f"Docker's configuration names no usable engine: {error}", hint=_START) from error
    address = _without_password(str(arguments.get("base_url") or _DEFAULT)).replace("http+unix://", "unix://")
    if address == _DEFAULT and origin != "from DOCKER_HOST":
        origin = "the default, as neither DOCKER_HOST nor a docker context names another"
    if address.startswith("ssh://"):
        raise EngineError(
            f"The Docker Engine at {address} ({origin}) is reached over SSH, which builds can't use.",
            hint="Forward its socket with `ssh -NL /tmp/docker.sock:/var/run/docker.sock HOST` and set "
            "DOCKER_HOST=unix:///tmp/docker.sock.",
        )
    return address, origin, arguments


def _without_password(text: str) -> str:
    return re.sub(r"(?<=://)([^/\s:@]*):\S*@", r"\1:***@", text)


def _of_context(name: str | None) -> dict[str, Any]:
    """The arguments that a docker context stands for; without a name the current one's."""
    try:
        if ContextAPI.get_context(name) is None:
            raise EngineError(
                f"The docker context {name or get_current_context_name()!r} does not exist.",
                hint="`docker context ls` lists those that do; `docker context use default` goes back.",
            )
        return {**ContextAPI.kwargs_from_context(name)}
    except (KeyError, TypeError) as error:
        raise EngineError(f"The docker context {name or get_current_context_name()!r} is broken.") from error


def _reason(error: BaseException) -> str:
    """The system's own words, which requests and urllib3 wrap several times."""
    while True:
        if isinstance(error, http.client.IncompleteRead):
            return "the connection broke off"  # its own words count bytes, or are int()'s
        wrapped = next((argument for argument in error.args if isinstance(argument, BaseException)), None)
        hidden = None if error.__suppress_context__ else error.__context__
        below = wrapped or error.__cause__ or hidden
        if below is None:
            break
        error = below
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
