"""Authorization: Basic, or a token of the server that the registry names.

https://distribution.github.io/distribution/spec/auth/token/ and, for identity tokens,
https://distribution.github.io/distribution/spec/auth/oauth/.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

import requests
from requests.utils import parse_dict_header

from streamflow_build.errors import RegistryError
from streamflow_build.model.credentials import Credentials
from streamflow_build.registry.answers import address, check, document
from streamflow_build.registry.transport import Transport, is_loopback

Scope = tuple[str, ...]
"""What a token is for, such as ``repository:org/streamflow-storage:pull,push``."""

_CLIENT = "streamflow-build"


class Access:
    """What one registry wants to see in the header Authorization, by scope. Any thread may use it."""

    def __init__(self, transport: Transport, credentials: Callable[[], Credentials]) -> None:
        self._transport = transport
        self._ask = credentials
        self._lock = threading.Lock()
        self._known: Credentials | None = None
        self._granted: dict[Scope, str] = {}

    def header(self, scope: Scope) -> dict[str, str]:
        """The header that was granted for a scope; none where nothing was yet."""
        granted = self._granted.get(scope)
        return {} if granted is None else {"Authorization": granted}

    def renew(self, scope: Scope, challenge: str) -> None:
        """Get a new authorization, as the ``WWW-Authenticate`` of a 401 says. Raises RegistryError, Transient."""
        kind, _, rest = challenge.partition(" ")
        options: dict[str, str] = parse_dict_header(rest)  # type: ignore[no-untyped-call]
        if kind.lower() == "basic":
            self._granted[scope] = self._basic()
        elif kind.lower() == "bearer" and "realm" in options:
            self._granted[scope] = f"Bearer {self._token(scope, options)}"
        else:
            raise RegistryError(
                f"The registry {self._transport.host} asks for a kind of log-in that is not known: {kind or 'none'}."
            )

    def refused(self) -> RegistryError:
        """The error for credentials that the registry doesn't take."""
        host, user = self._transport.host, self.credentials.user
        if self.credentials.password:
            whose = f"the credentials of {user}" if user else "the identity token"
            return RegistryError(
                f"The registry {host} refuses {whose}.",
                hint=f"Log in as somebody who may do this: docker login {host}. --username and the variables "
                "STREAMFLOW_REGISTRY_… go before that, where they are given.",
            )
        return RegistryError(
            f"The registry {host} wants credentials, and there are none for it.",
            hint=f"Run `docker login {host}`, set STREAMFLOW_REGISTRY_USER and STREAMFLOW_REGISTRY_PASSWORD, "
            "or give --username with --password-stdin.",
        )

    @property
    def credentials(self) -> Credentials:
        """The user's own; asked for once, since a helper may take its time. Raises RegistryError."""
        with self._lock:
            if self._known is None:
                self._known = self._ask()
            return self._known

    def _basic(self) -> str:
        user, password = self.credentials
        if not password:
            raise self.refused()
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def _token(self, scope: Scope, options: dict[str, str]) -> str:
        realm = address(self._transport.url("/"), options["realm"])
        user, password = self.credentials
        if password and urlsplit(realm).scheme != "https" and not is_loopback(urlsplit(realm).netloc):
            raise RegistryError(
                f"The registry {self._transport.host} wants the password sent in the clear, to {realm}.",
                hint="It is sent by https only.",
            )
        asked = [("service", options["service"])] if options.get("service") else []
        if password and not user:
            form = [
                *asked,
                ("scope", " ".join(scope)),
                ("client_id", _CLIENT),
                ("grant_type", "refresh_token"),
                ("refresh_token", password),
            ]
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = self._transport.send("POST", realm, headers=kind, data=urlencode(form).encode())
        else:
            headers = {"Authorization": self._basic()} if password else {}
            query = urlencode([*asked, *(("scope", each) for each in scope)])
            answer = self._transport.send(
                "GET", f"{realm}{'&' if '?' in realm else '?'}{query}", headers=headers
            )
        if answer.status_code in (requests.codes.unauthorized, requests.codes.forbidden):
            raise self.refused()
        check(answer, f"a token of {urlsplit(realm).netloc}")
        try:
            found = document(answer)
            token = found.get("token") or found["access_token"]
        except (KeyError, AttributeError) as error:
            raise RegistryError(f"{urlsplit(realm).netloc} gave no token where it should.") from error
        return str(token)
