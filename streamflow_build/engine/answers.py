"""What a session answers: the gRPC methods by which BuildKit asks for files, secrets and credentials."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from grpclib.const import Cardinality, Handler, Status
from grpclib.exceptions import GRPCError
from grpclib.server import Server, Stream

from streamflow_build.engine import messages
from streamflow_build.engine.credentials import credentials
from streamflow_build.engine.methods import CHECK, CONTEXT, CREDENTIALS, REFUSED, SECRET
from streamflow_build.engine.sync import send
from streamflow_build.errors import RegistryError
from streamflow_build.model.image import ContextFile

_SERVING = 1
_AnyStream = Stream[Any, Any]


def protocol(
    secrets: Mapping[str, bytes], files: Sequence[ContextFile], executor: ThreadPoolExecutor
) -> asyncio.Protocol:
    """What serves one session; credentials are looked up in the executor."""
    return Server([Methods(secrets, files, executor)])._protocol_factory()  # noqa: SLF001


class Methods:
    """The methods of one session, as grpclib wants them."""

    def __init__(
        self, secrets: Mapping[str, bytes], files: Sequence[ContextFile], executor: ThreadPoolExecutor
    ) -> None:
        self._secrets = secrets
        self._files = files
        self._executor = executor

    def __mapping__(self) -> dict[str, Handler]:
        unary, stream = Cardinality.UNARY_UNARY, Cardinality.STREAM_STREAM
        answered = {
            CHECK: Handler(self._check, unary, messages.HealthCheckRequest, messages.HealthCheckResponse),
            SECRET: Handler(self._secret, unary, messages.GetSecretRequest, messages.GetSecretResponse),
            CREDENTIALS: Handler(
                self._credentials, unary, messages.CredentialsRequest, messages.CredentialsResponse
            ),
            CONTEXT: Handler(self._context, stream, messages.Packet, messages.Packet),
        }
        refused = {path: Handler(_refuse, stream, messages.Unread, messages.Unread) for path in REFUSED}
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

    async def _context(self, stream: _AnyStream) -> None:
        await send(stream, self._files)


async def _refuse(_stream: _AnyStream) -> None:
    raise GRPCError(Status.UNIMPLEMENTED, "not offered by this client")
