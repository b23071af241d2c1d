"""What a build may read and no image may hold: the CA bundle, package index settings, named secrets."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote_to_bytes

from streamflow_build.errors import ConfigError
from streamflow_build.model.image import LARGEST_SECRET
from streamflow_build.model.project import BuildSecret, Service
from streamflow_build.plan import files
from streamflow_build.plan.indexes import pip_conf, pip_settings, uv_conf

BUNDLE_IN_BUILD = "/etc/ssl/certs/ca-certificates.crt"
"""Where the Dockerfiles mount the secret ``ca``."""

_LOGIN = re.compile(rb"://([^/\s\"]+)@")
_NAMES_OF_BUNDLE = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
_FEWER = "Set SSL_CERT_FILE to a bundle with fewer certificates, such as the system's."
_SYSTEM_BUNDLES = (
    Path("/etc/ssl/certs/ca-certificates.crt"),
    Path("/etc/pki/tls/certs/ca-bundle.crt"),
    Path("/etc/ssl/ca-bundle.pem"),
    Path("/etc/ssl/cert.pem"),
)


def build_secrets(service: Service, environ: Mapping[str, str], home: Path, root: Path) -> dict[str, bytes]:
    """A service's secrets by their ids.

    ``ca`` is the host's CA bundle, ``pip-conf`` and ``uv-conf`` are the host's pip configuration in either
    program's form; each is missing where the host has none. A named secret's file is relative to ``root``.
    Raises ConfigError for a named secret that isn't set, and for one that is larger than BuildKit takes.
    """
    secrets = {}
    if (bundle := _bundle(environ)) is not None:
        secrets["ca"] = bundle
    settings = pip_settings(environ, home)
    if text := pip_conf(settings, cert=BUNDLE_IN_BUILD if bundle else None):
        secrets["pip-conf"] = text.encode()
    if text := uv_conf(settings):
        secrets["uv-conf"] = text.encode()
    for secret in service.secrets:
        secrets[secret.id] = _named(service, secret, environ, root, home)
    return secrets


def confidential(service: Service, secrets: Mapping[str, bytes]) -> tuple[bytes, ...]:
    """Of a service's secrets, what nobody may be shown: the named ones, and the passwords of package indexes."""
    named = tuple(secrets[secret.id] for secret in service.secrets)
    logins = {found for name in ("pip-conf", "uv-conf") for found in _LOGIN.findall(secrets.get(name, b""))}
    # A token may stand where the user's name does.
    words = {password or user for user, _, password in (login.partition(b":") for login in logins)}
    return (*named, *sorted(words | {unquote_to_bytes(word) for word in words}))


def _bundle(environ: Mapping[str, str]) -> bytes | None:
    for name in _NAMES_OF_BUNDLE:
        # requests takes a folder, too, but pip and uv don't. Path.is_dir raises where the way there is barred.
        if (said := environ.get(name)) and not os.path.isdir(said):  # noqa: PTH112
            return _read(Path(said), f"the CA bundle that {name} names", _FEWER)
    place = next((place for place in _SYSTEM_BUNDLES if place.is_file()), None)
    return None if place is None else _read(place, "the system's CA bundle", _FEWER)


def _named(
    service: Service, secret: BuildSecret, environ: Mapping[str, str], root: Path, home: Path
) -> bytes:
    if secret.env is not None:
        if secret.env not in environ:
            raise ConfigError(
                f"The service {service.name!r} needs the secret {secret.id!r}, and {secret.env} is not set.",
                hint=f"Set the environment variable {secret.env} to its value.",
            )
        value = os.fsencode(environ[secret.env])
        if len(value) > LARGEST_SECRET:
            raise ConfigError(
                f"The secret {secret.id!r} of the service {service.name!r} has {len(value)} bytes, and a build "
                f"can be given {LARGEST_SECRET} at most.",
            )
        return value
    said = secret.file or ""
    place = home / said[2:] if said.startswith("~/") else root / said
    return _read(
        place,
        f"the secret {secret.id!r} that the service {service.name!r} needs",
        "Name a smaller file: a build can be given no more.",
    )


def _read(place: Path, what: str, hint_if_large: str) -> bytes:
    try:
        return files.read(place, LARGEST_SECRET)
    except OSError as error:
        large = error.errno == errno.EFBIG
        raise ConfigError(
            f"{place}, {what}, can't be read: {error.strerror}.",
            hint=hint_if_large if large else "Make the file, or name another.",
        ) from error
