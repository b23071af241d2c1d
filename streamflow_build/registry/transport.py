"""The way to a registry: TLS with the machine's authorities and Docker's, plain HTTP on this machine alone."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NameResolutionError, NewConnectionError

from streamflow_build.errors import RegistryError
from streamflow_build.registry.retry import Transient

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 30.0
"""How long a registry may say nothing in the middle of an answer."""
STORING_SECONDS = 120.0
"""How long it may say nothing after a blob, which it stores, or a proxy passes on, before the answer."""
CERTIFICATES = (Path("/etc/docker/certs.d"), Path("~/.docker/certs.d"))
"""Where Docker keeps the authorities of private registries: https://docs.docker.com/engine/security/certificates/."""


class Transport:
    """Sends requests to one host, such as ``ghcr.io`` or ``localhost:5000``, and names what goes wrong.

    Any thread may use it.
    """

    def __init__(self, host: str, *, connections: int) -> None:
        self.host = host
        self._session = _Session()
        self._session.trust_env = not is_loopback(host)  # no proxy reaches this machine's own address
        adapter = _Adapter(host, connections)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._base: str | None = None

    def reach(self, path: str) -> None:
        """Find out how the registry is spoken to. Raises RegistryError where nothing answers, and Transient."""
        if self._base is None:
            self._base = f"http://{self.host}" if self._plain(path) else f"https://{self.host}"

    def url(self, path: str) -> str:
        """The address of a path of the registry's."""
        return f"{self._base}{path}"

    def send(  # noqa: PLR0913 - a request's parts
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        data: bytes | Iterable[bytes] | Mapping[str, str] | None = None,
        stream: bool = False,
        silence: float = SILENCE_SECONDS,
    ) -> requests.Response:
        """Any answer at all. Raises RegistryError, or Transient where it breaks off.

        Redirections are followed, but not with a body that can't be sent again.
        """
        streams = data is not None and not isinstance(data, bytes | Mapping)
        try:
            return self._session.request(
                method,
                url,
                headers=dict(headers),
                data=data,
                stream=stream,
                allow_redirects=not streams,
                # The first counts until the body is sent.
                timeout=(silence if streams else CONNECT_SECONDS, silence),
                auth=_unchanged,
            )
        except requests.exceptions.SSLError as error:
            if "WRONG_VERSION_NUMBER" in str(error):
                raise RegistryError(
                    f"The registry {self.host} speaks plain HTTP, which is for this machine's own address alone.",
                    hint="Give it a certificate, or call it localhost where it runs on this machine.",
                ) from error
            raise RegistryError(
                f"The registry {self.host} can't be trusted: {_innermost(error)}",
                hint=f"Put the certificate of its authority into {CERTIFICATES[0] / self.host}/ca.crt, where "
                "Docker Engine looks for it, too.",
            ) from error
        except requests.Timeout as error:
            raise Transient(f"{self._asked(error)} did not answer in time") from error
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise Transient(
                f"the connection to {self._asked(error)} broke off: {_innermost(error)}"
            ) from error
        except ValueError as error:
            # It may hold a secret, so it isn't repeated.
            raise RegistryError(f"The registry {self.host} has, or gave, an address that is none.") from error
        except requests.RequestException as error:
            raise RegistryError(f"The registry {self.host} can't be asked: {_innermost(error)}") from error

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _asked(self, error: requests.RequestException) -> str:
        """The host that failed, which is another one after a redirection."""
        url = None if error.request is None else error.request.url
        return urlsplit(url or "").netloc or self.host

    def _plain(self, path: str) -> bool:
        """Whether it speaks plain HTTP; nothing secret is sent to find out. Raises as ``send`` does."""
        url = f"http://{self.host}{path}" if is_loopback(self.host) else f"https://{self.host}{path}"
        try:
            answer = self.send("GET", url, headers={})
        except Transient as trouble:
            absent = _caused_by(trouble, NameResolutionError) or _caused_by(trouble, NewConnectionError)
            if absent is None:
                raise
            raise RegistryError(
                f"The registry {self.host} can't be reached: {_innermost(absent)}.",
                hint="Check its name and port, and that it runs.",
            ) from trouble
        # What Go's servers, registries among them, and nginx say to who speaks plain HTTP to their TLS.
        spoken_to_tls = answer.status_code == requests.codes.bad_request and b"HTTPS" in answer.content
        return url.startswith("http://") and not spoken_to_tls


class _Session(requests.Session):
    """Takes no password from ~/.netrc where it follows a redirection, either."""

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Leave the header out where it isn't for whoever is asked now."""
        asked, now = response.request.url or "", prepared_request.url or ""
        if self.should_strip_auth(asked, now):  # type: ignore[no-untyped-call]
            prepared_request.headers.pop("Authorization", None)


class _Adapter(HTTPAdapter):
    """Trusts what the machine trusts, and the host's own authority where Docker has one."""

    def __init__(self, host: str, connections: int) -> None:
        self._host = host
        super().__init__(pool_maxsize=connections)

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return _trust(self._host)

    def build_connection_pool_key_attributes(self, *arguments: Any, **options: Any) -> Any:
        address, pool = super().build_connection_pool_key_attributes(*arguments, **options)
        if address["scheme"] == "https":
            pool["ssl_context"] = self._context
        return address, pool

    def cert_verify(self, conn: Any, *_: Any) -> None:
        """The context has the authorities already; requests would add those of its own."""
        conn.cert_reqs = "CERT_REQUIRED"


def is_loopback(host: str) -> bool:
    """Whether a host, with or without a port, is this machine, as Docker Engine sees it."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _trust(host: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    for folder in CERTIFICATES:
        for authority in sorted((folder.expanduser() / host).glob("*.crt")):
            try:
                context.load_verify_locations(authority)
            except (OSError, ssl.SSLError) as error:
                raise RegistryError(f"The certificate {authority} can't be read: {error}.") from error
    return context


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Without an ``auth`` requests would take a password from ~/.netrc."""
    return request


def _innermost(error: BaseException) -> str:
    """The system's own words, which requests and urllib3 wrap several times."""
    while (below := _below(error)) is not None:
        error = below
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _caused_by(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    found: BaseException | None = error
    while found is not None and not isinstance(found, kind):
        found = _below(found)
    return found


def _below(error: BaseException) -> BaseException | None:
    wrapped = next((argument for argument in error.args if isinstance(argument, BaseException)), None)
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return reason
    return wrapped or error.__cause__ or error.__context__
