"""A build's session: a gRPC service that BuildKit calls back, over a connection which the engine turned.

It carries what must never be in a layer: secrets, and the credentials for private base images. Each build has
a session of its own; one thread with one event loop serves all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.server import Server, Stream
from urllib3 import HTTPHeaderDict

from streamflow_build.engine import messages
from streamflow_build.engine.connection import Connection
from streamflow_build.engine.credentials import credentials
from streamflow_build.engine.wire import Hijacked, Wire, hijack
from streamflow_build.errors import EngineError, RegistryError

_SERVING = 1
_REFUSED = (
    "/moby.filesync.v1.Auth/GetTokenAuthority",
    "/moby.filesync.v1.Auth/VerifyTokenAuthority",
    "/moby.filesync.v1.Auth/FetchToken",
    "/moby.sshforward.v1.SSH/CheckAgent",
    "/moby.sshforward.v1.SSH/ForwardAgent",
    "/moby.filesync.v1.FileSync/DiffCopy",
)
_AnyStream = Stream[Any, Any]


class _Methods:
    """The methods of one session, as grpclib wants them."""

    def __init__(self, secrets: Mapping[str, bytes], executor: ThreadPoolExecutor) -> None:
        self._secrets = secrets
        self._executor = executor

    def __mapping__(self) -> dict[str, Handler]:
        unary = Cardinality.UNARY_UNARY
        answered = {
            "/grpc.health.v1.Health/Check": Handler(
                self._check, unary, messages.HealthCheckRequest, messages.HealthCheckResponse
            ),
            "/moby.buildkit.secrets.v1.Secrets/GetSecret": Handler(
                self._secret, unary, messages.GetSecretRequest, messages.GetSecretResponse
            ),
            "/moby.filesync.v1.Auth/Credentials": Handler(
                self._credentials, unary, messages.CredentialsRequest, messages.CredentialsResponse
            ),
        }
        # A method that isn't registered is answered in a way which the engine takes for a broken session.
        refused = {
            path: Handler(_refuse, Cardinality.STREAM_STREAM, messages.Unread, messages.Unread)
            for path in _REFUSED
        }
        return answered | refused

    async def _check(self, stream: _AnyStream) -> None:
        await stream.recv_message()
        await stream.send_message(messages.HealthCheckResponse(status=_SERVING))

    async def _secret(self, stream: _AnyStream) -> None:
        request = await stream.recv_message()
        if request is None or request.ID not in self._secrets:
            raise GRPCError(Status.NOT_FOUND, "the build was given no such secret")
        await stream.send_message(messages.GetSecretResponse(data=self._secrets[request.ID]))

    async def _credentials(self, stream: _AnyStream) -> None:
        request = await stream.recv_message()
        host = "" if request is None else request.Host
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._executor, credentials, host)
        except RegistryError as error:
            raise GRPCError(Status.UNKNOWN, str(error)) from error
        await stream.send_message(messages.CredentialsResponse(Username=found.user, Secret=found.password))


async def _refuse(_stream: _AnyStream) -> None:
    raise GRPCError(Status.UNIMPLEMENTED, "not offered by this client")


class Session:
    """An open session; ``id`` is what a build names it by."""

    def __init__(self, identifier: str, end: Callable[[], None]) -> None:
        self.id = identifier
        self._end = end

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()


class SessionHost:
    """The thread that serves every session."""

    def __init__(self) -> None:
        # A session that breaks off is told of by the build; grpclib would print it, too.
        logging.getLogger("grpclib").addHandler(logging.NullHandler())
        self._loop = asyncio.new_event_loop()
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="streamflow-credentials")
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="streamflow-sessions", daemon=True
        )
        self._thread.start()

    def open(self, connection: Connection, secrets: Mapping[str, bytes]) -> Session:
        """Ask the engine for a connection and serve a session on it; raises EngineError where it refuses."""
        identifier = uuid.uuid4().hex
        methods = _Methods(secrets, self._executor)
        hijacked = hijack(connection, "/session", _headers(identifier, tuple(methods.__mapping__())))
        serving = asyncio.run_coroutine_threadsafe(self._serve(methods, hijacked), self._loop)
        try:
            wire = serving.result(timeout=20)
        except TimeoutError as error:
            raise EngineError(f"The Docker Engine at {connection.address} took no session.") from error
        return Session(identifier, lambda: self._end(wire))

    def close(self) -> None:
        """End the thread; open sessions are cut."""
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._executor.shutdown(cancel_futures=True)
        self._loop.close()

    async def _serve(self, methods: _Methods, hijacked: Hijacked) -> Wire:
        protocol = Server([methods])._protocol_factory()  # noqa: SLF001
        return Wire(self._loop, hijacked, protocol)

    async def _finish(self) -> None:
        answering = asyncio.all_tasks() - {asyncio.current_task()}
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)

    def _end(self, wire: Wire) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: so is the wire
            self._loop.call_soon_threadsafe(wire.close)


def _headers(identifier: str, methods: tuple[str, ...]) -> HTTPHeaderDict:
    headers = HTTPHeaderDict(
        {
            "Connection": "Upgrade",
            "Upgrade": "h2c",
            "X-Docker-Expose-Session-Uuid": identifier,
            "X-Docker-Expose-Session-Name": "streamflow-build",
            "X-Docker-Expose-Session-Sharedkey": "",
        }
    )
    for method in methods:
        headers.add("X-Docker-Expose-Session-Grpc-Method", method)
    return headers
