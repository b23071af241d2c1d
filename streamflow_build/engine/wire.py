"""A socket taken out of docker-py's hands and driven by an event loop: local, TCP or TLS alike."""

from __future__ import annotations

import asyncio
import http.client
import socket as sockets
import ssl
from typing import Any, NamedTuple, cast

import requests
from docker.errors import APIError
from urllib3 import HTTPHeaderDict

from streamflow_build.engine.connection import Connection
from streamflow_build.errors import EngineError

_CHUNK = 64 * 1024
_NOT_NOW = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Hijacked(NamedTuple):
    """A connection that no longer speaks HTTP.

    ``early`` is what http.client had already read of the new protocol; the response closes the socket, which
    doesn't block, when it is collected.
    """

    socket: sockets.socket
    early: bytes
    response: requests.Response


def hijack(connection: Connection, path: str, headers: HTTPHeaderDict) -> Hijacked:
    """Have the engine turn a connection into another protocol; raises EngineError where it refuses."""
    client = connection.client
    request = client.prepare_request(requests.Request("POST", client._url(path)))  # noqa: SLF001
    # requests' own dict can't hold a header that comes several times.
    headers.extend(request.headers)
    request.headers = cast("Any", headers)
    settings = client.merge_environment_settings(request.url, {}, True, None, None)
    with connection.errors():
        response = client.send(request, timeout=20, **settings)
    try:
        client._raise_for_status(response)  # noqa: SLF001
    except APIError as error:
        raise connection.refused("a session", error) from error
    if response.status_code != http.client.SWITCHING_PROTOCOLS:
        raise EngineError(
            f"The Docker Engine at {connection.address} took no session: HTTP {response.status_code}."
        )
    reader: Any = response.raw._fp.fp  # noqa: SLF001
    socket: sockets.socket = reader.raw._sock  # noqa: SLF001
    socket.setblocking(False)
    try:
        # In a third of the cases the engine's first frames come in one packet with its answer.
        early = reader.peek()
    except _NOT_NOW:
        early = b""
    return Hijacked(socket, early, response)


class Wire(asyncio.Transport):
    """What asyncio's own transports are, for a socket that may already speak TLS, which they don't take."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, hijacked: Hijacked, protocol: asyncio.Protocol
    ) -> None:
        """Call in the loop's thread."""
        super().__init__()
        self._loop = loop
        self._socket, early, self._response = hijacked
        self._protocol = protocol
        self._unsent = bytearray()
        self._closing = False
        protocol.connection_made(self)
        if early:
            protocol.data_received(early)
        if not self._closing:
            loop.add_reader(self._socket, self._read)
            self._read()  # TLS may have decrypted more than was asked for, of which no selector knows

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send now what the socket takes, and the rest when it can."""
        if self._closing:
            return
        self._unsent += data
        self._flush()

    def is_closing(self) -> bool:
        return self._closing

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._socket if name == "socket" else default

    def close(self) -> None:
        """Close at once: the engine has nothing to wait for."""
        self._lost(None)

    def abort(self) -> None:
        self._lost(None)

    def _read(self) -> None:
        while not self._closing:
            try:
                data = self._socket.recv(_CHUNK)
            except _NOT_NOW:
                return
            except OSError as error:
                self._lost(error)
                return
            if not data:
                self._lost(None)
                return
            self._protocol.data_received(data)

    def _flush(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except _NOT_NOW:
            self._loop.add_writer(self._socket, self._flush)
        except OSError as error:
            self._lost(error)
        else:
            self._loop.remove_writer(self._socket)

    def _lost(self, error: OSError | None) -> None:
        if self._closing:
            return
        self._closing = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        # Later, as asyncio's own transports do: it may be the protocol itself that closes this now.
        self._loop.call_soon(self._protocol.connection_lost, error)
        self._response.close()
        self._socket.close()
