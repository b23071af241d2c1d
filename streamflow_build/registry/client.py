"""One registry: the way to it, and the authorization to use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from urllib.parse import SplitResult, urljoin, urlsplit

import requests

from streamflow_build.errors import RegistryError
from streamflow_build.model.credentials import Credentials
from streamflow_build.model.reference import DOCKER_HUB
from streamflow_build.registry.access import Access, Scope
from streamflow_build.registry.retry import Patience, Transient
from streamflow_build.registry.transport import SILENCE_SECONDS, Transport

_HUB_API = "registry-1.docker.io"


class Registry:
    """A registry's host, such as ``ghcr.io``; any thread may use it.

    ``send`` raises Transient for what passes by itself: who calls it tries again by ``patience``.
    """

    def __init__(
        self, host: str, credentials: Callable[[], Credentials], patience: Patience, *, connections: int
    ) -> None:
        self.host = host
        self.patience = patience
        self._transport = Transport(_HUB_API if host == DOCKER_HUB else host, connections=connections)
        self._access = Access(self._transport, credentials)

    def reach(self) -> None:
        """See that it answers."""
        self.patience.run(self.host, lambda: self._transport.reach("/v2/"))

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def send(  # noqa: PLR0913 - a request's parts
        self,
        method: str,
        path: str,
        scope: Scope,
        *,
        headers: dict[str, str] | None = None,
        data: bytes | Iterable[bytes] | None = None,
        stream: bool = False,
        silence: float = SILENCE_SECONDS,
    ) -> requests.Response:
        """The answer, after a log-in where one is asked for. Raises RegistryError, Transient.

        ``path`` may also be an address that the registry gave, ``silence`` is how many seconds it may say nothing.
        """
        url = urljoin(self._transport.url("/"), path)
        ours = self._is_ours(url)
        told = dict(headers or {})
        granted = self._access.header(scope) if ours else {}
        send = partial(self._transport.send, method, url, data=data, stream=stream, silence=silence)
        answer = send(headers=told | granted)
        if not (ours and self._wants_log_in(answer)):
            return answer
        answer.close()
        self._access.renew(scope, answer.headers.get("WWW-Authenticate", ""))
        if data is not None and not isinstance(data, bytes):
            raise Transient("the log-in ran out")  # what was sent in part is sent from its beginning
        answer = send(headers=told | self._access.header(scope))
        if self._wants_log_in(answer):
            raise self._access.refused()
        return answer

    def _is_ours(self, url: str) -> bool:
        """Whether an address is the registry's own, which gets the user's credentials. Raises RegistryError."""
        asked, own = urlsplit(url), urlsplit(self._transport.url("/"))
        if (asked.scheme, own.scheme, asked.hostname) == ("http", "https", own.hostname):
            raise RegistryError(
                f"The registry {self.host} gave an address in the clear: http://{asked.netloc}.",
                hint="The proxy in front of it has to say that it is reached by https (X-Forwarded-Proto).",
            )
        return _place(asked) == _place(own)

    def _wants_log_in(self, answer: requests.Response) -> bool:
        """Whether the registry itself asks for one: whoever it redirected to gets no password, whatever he asks for."""
        own = urlsplit(self._transport.url("/"))
        return answer.status_code == requests.codes.unauthorized and _place(urlsplit(answer.url)) == _place(
            own
        )


def _place(url: SplitResult) -> tuple[str, str | None, int]:
    return url.scheme, url.hostname, url.port or (443 if url.scheme == "https" else 80)
