"""A build's session: a gRPC service that BuildKit calls back, over a connection which the engine turned.

It carries the build's context, and what must never be in a layer: secrets, and the credentials for private base
images. Each build has a session of its own; one thread with one event loop serves all of them. gRPC is imported
there, while the engine is at work already.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from urllib3 import HTTPHeaderDict

from streamflow_build.engine.connection import Connection
from streamflow_build.engine.context import shared_key
from streamflow_build.engine.methods import OFFERED
from streamflow_build.engine.wire import Hijacked, Wire, hijack
from streamflow_build.model.image import ContextFile


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

    def open(
        self, connection: Connection, secrets: Mapping[str, bytes], files: Sequence[ContextFile]
    ) -> Session:
        """Ask the engine for a connection and serve a session on it; raises EngineError where it refuses."""
        identifier = uuid.uuid4().hex
        hijacked = hijack(connection, "/session", _headers(identifier, shared_key(files)))
        serving = asyncio.run_coroutine_threadsafe(self._serve(secrets, files, hijacked), self._loop)
        return Session(identifier, lambda: self._end(serving))

    def close(self) -> None:
        """End the thread; open sessions are cut."""
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._executor.shutdown(cancel_futures=True)
        self._loop.close()

    async def _serve(
        self, secrets: Mapping[str, bytes], files: Sequence[ContextFile], hijacked: Hijacked
    ) -> Wire:
        from streamflow_build.engine.answers import protocol  # noqa: PLC0415

        return Wire(self._loop, hijacked, protocol(secrets, files, self._executor))

    async def _finish(self) -> None:
        answering = asyncio.all_tasks() - {asyncio.current_task()}
        for task in answering:
            task.cancel()
        await asyncio.gather(*answering, return_exceptions=True)

    def _end(self, serving: Future[Wire]) -> None:
        serving.add_done_callback(self._close)

    def _close(self, serving: Future[Wire]) -> None:
        if serving.cancelled() or serving.exception():
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: so is the wire
            self._loop.call_soon_threadsafe(serving.result().close)


def _headers(identifier: str, key: str) -> HTTPHeaderDict:
    headers = HTTPHeaderDict(
        {
            "Connection": "Upgrade",
            "Upgrade": "h2c",
            "X-Docker-Expose-Session-Uuid": identifier,
            "X-Docker-Expose-Session-Name": "streamflow-build",
            "X-Docker-Expose-Session-Sharedkey": key,
        }
    )
    for method in OFFERED:
        headers.add("X-Docker-Expose-Session-Grpc-Method", method)
    return headers
