"""URLs of servers in settings: what is wrong with one is told at the start, without the password that it may hold.

A server that is away is no mistake of its URL.
"""

import math
from base64 import b64decode
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, SecretStr

Options = Mapping[str, Callable[[str], object]]
"""What may stand behind the `?`, each with what raises ValueError of a value that it can't have."""


def _one_of(*values: str) -> Callable[[str], object]:
    return values.index


def _count(value: str) -> int:
    if not (value.isascii() and value.isdigit()):
        raise ValueError
    return int(value)


def _seconds(value: str) -> float:
    if not 0 < (seconds := float(value)) < math.inf:
        raise ValueError
    return seconds


_switch = _one_of("0", "1", "true", "false", "yes", "no")

POSTGRES: Options = {
    "sslmode": _one_of("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslcert": str,
    "sslkey": str,
    "sslrootcert": str,
    "sslcrl": str,
    "sslpassword": str,
    "sslnegotiation": _one_of("postgres", "direct"),
    "ssl_min_protocol_version": str,
    "ssl_max_protocol_version": str,
    "target_session_attrs": _one_of("any", "primary", "standby", "read-write", "read-only", "prefer-standby"),
    "user": str,
    "password": str,
    "application_name": str,
    "options": str,
    "search_path": str,
}
RABBITMQ: Options = {
    "heartbeat": _count,
    "timeout": _count,
    "name": str,
    "auth": _one_of("plain", "amqplain", "external"),
    "cafile": str,
    "capath": str,
    "cadata": b64decode,
    "certfile": str,
    "keyfile": str,
    "no_verify_ssl": _one_of("0", "1"),
}
REDIS: Options = {
    "db": _count,
    "socket_timeout": _seconds,
    "socket_connect_timeout": _seconds,
    "socket_keepalive": _switch,
    "health_check_interval": _count,
    "max_connections": _count,
    "protocol": _one_of("2", "3"),
    "client_name": str,
}
REDIS_ENCRYPTED: Options = {
    **REDIS,
    "ssl_cert_reqs": _one_of("none", "optional", "required"),
    "ssl_check_hostname": _switch,
    "ssl_ca_certs": str,
    "ssl_certfile": str,
    "ssl_keyfile": str,
}
NONE: Options = {}


def server_url(schemes: Mapping[str, Options], file: str | None = None) -> AfterValidator:
    """A URL of a server by one of the schemes, or where `file` is a scheme, too, of a file: `sqlite:///PATH`."""
    example = f"{next(iter(schemes))}://HOST:PORT" + ("" if file is None else f" or {file}:///PATH")

    def check(url: SecretStr) -> SecretStr:
        value = url.get_secret_value()
        if file is not None and value.startswith(f"{file}:///") and value != f"{file}:///":
            _check_file(value.removeprefix(f"{file}:///"))
            return url
        try:
            parts = urlsplit(value)
            complete = parts.scheme in schemes and parts.hostname is not None and parts.port != 0
        except ValueError:
            complete = False
        # urlsplit itself drops line breaks.
        if not complete or any(character.isspace() for character in value):
            raise ValueError(f"a URL like {example} is needed")
        _check_options(parts, schemes[parts.scheme])
        database = unquote(parts.path).strip("/")
        if schemes.get("redis") and database and not database.isdecimal():
            raise ValueError("a database of Redis is a number, as in redis://HOST:PORT/0")
        return url

    return AfterValidator(check)


def _check_file(path: str) -> None:
    place = Path(path).absolute()
    if not place.parent.is_dir():
        raise ValueError(f"there is no folder {place.parent}")
    if place.is_dir() or path.endswith("/"):
        raise ValueError(f"{place} is a folder, and a file is needed")


def _check_options(parts: SplitResult, options: Options) -> None:
    try:
        found = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True) if parts.query else []
    except ValueError:
        found = [("", "")]
    for name, value in found:
        if name not in options:
            # Its own name isn't shown: of a URL that is no good it may be a piece of a password.
            known = f"has no option but {', '.join(options)}" if options else "has no options"
            raise ValueError(f"a URL like {parts.scheme}://HOST:PORT {known}")
        try:
            options[name](value)
        except ValueError:
            raise ValueError(f"the value of {name} makes no sense") from None
