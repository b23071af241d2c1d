"""Builds by the engine's BuildKit: one request each, its session, its stream of messages, and its end."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import msgspec
import requests
from docker.errors import APIError

from streamflow_build.engine import stored
from streamflow_build.engine.connection import Connection, disconnect, explanation
from streamflow_build.engine.failure import failure
from streamflow_build.engine.interface import BuildCancelled, BuildObserver, StepFailed
from streamflow_build.engine.session import SessionHost
from streamflow_build.engine.trace import Trace
from streamflow_build.errors import EngineError
from streamflow_build.model.image import LARGEST_SECRET, BuildRequest

_CHUNK = 64 * 1024
_CANCEL_SECONDS = 5
# What the containerd image store says when another build of the same image ends at the same moment: it is there.
_TWIN = re.compile(r'image "moby-dangling@(sha256:[0-9a-f]{64})": already exists')


class _Message(msgspec.Struct):
    """A line of the engine's answer; errors come as lines, too, once it has said that all is well."""

    id: str = ""
    aux: Any = None
    error: str = ""


# Made here, since msgspec learns a type on its first use, and not in several threads at once.
_MESSAGES = msgspec.json.Decoder(_Message)


class _Running:
    """A build which the engine works on."""

    def __init__(self, service: str) -> None:
        self.id = uuid.uuid4().hex
        self.service = service
        self.response: requests.Response | None = None

    def disconnect(self) -> None:
        """Make the thread that reads the engine's answer see its end."""
        if self.response is not None:
            disconnect(self.response)


class Builds:
    """All builds of one engine, from any thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sessions = SessionHost()
        self._lock = threading.Lock()
        self._running: set[_Running] = set()
        self._cancelled = False

    def build(self, request: BuildRequest, observer: BuildObserver) -> tuple[str, Trace]:
        """Build and tag; gives the image's id and what the build told.

        Raises StepFailed, BuildCancelled, EngineError.
        """
        for name, value in request.secrets.items():
            if len(value) > LARGEST_SECRET:
                raise StepFailed(
                    f"The secret {name!r} has {len(value)} bytes, and a build can be given "
                    f"{LARGEST_SECRET} at most."
                )
        trace = Trace()
        with self._registered(request) as running:
            try:
                image = self._solve(request, running, trace, observer)
            except EngineError:
                self._raise_if_cancelled(request)
                raise
            self._raise_if_cancelled(request)
            stored.tag(self._connection, image, request.tags)
        return image, trace

    def cancel(self) -> None:
        """End every running build and refuse later ones."""
        with self._lock:
            self._cancelled = True
            running = tuple(self._running)
        with ThreadPoolExecutor(max_workers=max(len(running), 1)) as pool:
            pool.map(self._end, running)

    def close(self) -> None:
        """End the thread that serves the sessions."""
        self._sessions.close()

    def _solve(self, request: BuildRequest, running: _Running, trace: Trace, observer: BuildObserver) -> str:
        with self._sessions.open(self._connection, request.secrets, request.context) as session:
            image = ""
            for message in self._messages(request, running, session.id):
                if twin := _TWIN.search(message.error):
                    image = twin[1]
                elif message.error:
                    self._raise_failure(request, trace, message.error)
                elif message.id == "moby.buildkit.trace":
                    for event in trace.events(base64.b64decode(message.aux)):
                        observer(event)
                elif message.id == "moby.image.id":
                    image = message.aux["ID"]
        if not image:
            raise self._connection.gone("its answer ended early", _while(request))
        return image

    def _messages(self, request: BuildRequest, running: _Running, session: str) -> Iterator[_Message]:
        parameters = {
            "version": "2",
            "dockerfile": request.dockerfile,
            "labels": json.dumps(request.labels),
            # As the docker program does, so that a step gets out where only a proxy leads there.
            "buildargs": json.dumps(self._connection.proxies | request.build_args),
            "nocache": "1" if request.no_cache else "0",
            "remote": "client-session",
            "session": session,
            "buildid": running.id,
        }
        with self._connection.errors(_while(request)):
            try:
                response = self._connection.post("/build", params=parameters, stream=True, timeout=None)
            except APIError as error:
                yield _Message(error=explanation(error))
                return
            with response:
                running.response = response
                if self._cancelled:
                    # The engine may not have known of it yet when the cancellation came.
                    self._end(running)
                for line in response.iter_lines(_CHUNK):
                    if line:
                        yield _MESSAGES.decode(line)

    def _raise_failure(self, request: BuildRequest, trace: Trace, message: str) -> None:
        self._raise_if_cancelled(request)
        if not self._connection.answers():
            raise self._connection.gone(message, _while(request))
        raise failure(request, trace, message)

    def _raise_if_cancelled(self, request: BuildRequest) -> None:
        if self._cancelled:
            raise BuildCancelled(f"The build of {request.service} was cancelled.")

    def _end(self, build: _Running) -> None:
        with contextlib.suppress(EngineError, APIError), self._connection.errors():
            self._connection.post("/build/cancel", params={"id": build.id}, timeout=_CANCEL_SECONDS)
        build.disconnect()

    @contextmanager
    def _registered(self, request: BuildRequest) -> Iterator[_Running]:
        running = _Running(request.service)
        with self._lock:
            self._raise_if_cancelled(request)
            self._running.add(running)
        try:
            yield running
        finally:
            with self._lock:
                self._running.discard(running)


def _while(request: BuildRequest) -> str:
    return f" while it built {request.service}"
