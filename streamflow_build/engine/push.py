"""Images to a registry, by the engine: ``POST /images/{name}/push``, whose errors come with HTTP 200."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from docker.auth import encode_header
from docker.errors import APIError
from docker.utils import parse_repository_tag

from streamflow_build.engine.connection import Connection, disconnect, explanation
from streamflow_build.engine.interface import PushFailed, PushObserver
from streamflow_build.errors import EngineError
from streamflow_build.model.credentials import Credentials

SILENCE_SECONDS = 120
"""How long the engine may tell of no progress: it waits without end for a registry that says nothing."""

_CHUNK = 64 * 1024
_DONE = frozenset({"Pushed", "Layer already exists"})
_DIGEST = re.compile(r"digest: (sha256:[0-9a-f]{64})")
_TRANSIENT = re.compile(
    r"\b(429|500|502|503|504)\b|too ?many ?requests|internal server error|bad gateway|service unavailable|"
    r"gateway timeout|\bEOF\b|connection reset|broken pipe|time(d )?-?out|connection refused|closed connection|"
    r"context deadline exceeded|stream error|http2|unknown blob|blob upload (unknown|invalid)",
    re.IGNORECASE,
)


def login(found: Credentials) -> dict[str, str]:
    """Credentials as the engine's API takes them; it wants them also where there are none."""
    if found.user:
        return {"username": found.user, "password": found.password}
    return {"identitytoken": found.password} if found.password else {}


class Pushes:
    """All pushes of one engine, from any thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._running: set[requests.Response] = set()
        self._cancelled = False

    def push(self, reference: str, credentials: Credentials, observer: PushObserver) -> str:
        """Send one tag; the digest of its manifest there. Raises PushFailed, EngineError."""
        try:
            with self._connection.errors(), self._begun(reference, credentials) as response:
                digest = self._read(response, observer)
        except (EngineError, APIError) as error:
            if self._cancelled:
                raise PushFailed("it was cancelled", transient=True) from error
            if isinstance(error, APIError):
                raise _failed(explanation(error)) from error
            if _silent(error):
                raise PushFailed(f"no progress for {SILENCE_SECONDS} s", transient=True) from error
            raise
        if not digest:
            raise EngineError(
                f"The Docker Engine at {self._connection.address} pushed {reference}, and named no digest."
            )
        return digest

    def cancel(self) -> None:
        """End every push that runs, and refuse later ones: the engine ends one whose caller is gone."""
        with self._lock:
            self._cancelled = True
            running = tuple(self._running)
        for response in running:
            disconnect(response)

    @contextmanager
    def _begun(self, reference: str, credentials: Credentials) -> Iterator[requests.Response]:
        repository, tag = parse_repository_tag(reference)
        response = self._connection.post(
            f"/images/{repository}/push",
            params={"tag": tag},
            headers={"X-Registry-Auth": encode_header(login(credentials))},
            stream=True,
            timeout=SILENCE_SECONDS,
        )
        with self._lock:
            self._running.add(response)
        try:
            if self._cancelled:
                raise EngineError("The push was cancelled.")
            yield response
        finally:
            with self._lock:
                self._running.discard(response)
            response.close()

    def _read(self, response: requests.Response, observer: PushObserver) -> str:
        digest = ""
        for text in filter(None, response.iter_lines(_CHUNK)):
            line: dict[str, Any] = json.loads(text)
            if error := line.get("error"):
                raise _failed(error)
            digest = _digest(line) or digest
            _tell(line, observer)
        return digest


def _failed(words: str) -> PushFailed:
    return PushFailed(words.strip(), transient=bool(_TRANSIENT.search(words)))


def _silent(error: BaseException) -> bool:
    cause = error.__cause__
    return isinstance(cause, requests.Timeout) or "timed out" in str(cause).lower()


def _digest(line: dict[str, Any]) -> str | None:
    """The manifest's digest: in ``aux`` with the classic image store, in words with both."""
    if told := (line.get("aux") or {}).get("Digest"):
        return str(told)
    found = _DIGEST.search(line.get("status") or "")
    return found[1] if found else None


def _tell(line: dict[str, Any], observer: PushObserver) -> None:
    layer, status = line.get("id"), line.get("status") or ""
    if not layer:
        return
    detail = line.get("progressDetail") or {}
    if status == "Pushing" and "current" in detail:
        observer(layer, detail["current"], detail.get("total", 0), done=False)
    elif status in _DONE or status.startswith("Mounted from"):
        observer(layer, 0, 0, done=True)
