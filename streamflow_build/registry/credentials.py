"""Where credentials come from, in this order: the command line, the environment, Docker's configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping

from streamflow_build.errors import UsageError
from streamflow_build.model.credentials import Credentials

VARIABLES = "STREAMFLOW_REGISTRY"
"""``STREAMFLOW_REGISTRY_USER`` and ``_PASSWORD`` are for every registry, ``STREAMFLOW_REGISTRY_GHCR_USER`` and
``_PASSWORD`` for that which streamflow.yaml calls ghcr."""


def chosen(
    given: Credentials | None,
    name: str | None,
    environ: Mapping[str, str],
    configured: Callable[[], Credentials],
) -> Callable[[], Credentials]:
    """How to get the credentials for a registry, which streamflow.yaml may have a name for.

    ``configured`` asks Docker's own configuration, and a helper of it perhaps, only where nothing else tells. Raises
    UsageError for a user without a password and the other way round.
    """
    found = given
    if found is None and name is not None:
        found = _of(f"{VARIABLES}_{re.sub(r'[^A-Z0-9]', '_', name.upper())}", environ)
    found = found or _of(VARIABLES, environ)
    return configured if found is None else lambda: found


def passwords(given: Credentials | None, environ: Mapping[str, str]) -> tuple[bytes, ...]:
    """Those of the command line and the environment, which may be shown to nobody."""
    told = (
        os.fsencode(value)
        for name, value in environ.items()
        if name.startswith(f"{VARIABLES}_") and name.endswith("_PASSWORD") and value
    )
    return (*told, *([] if given is None else [given.password.encode()]))


def _of(prefix: str, environ: Mapping[str, str]) -> Credentials | None:
    user, password = environ.get(f"{prefix}_USER", ""), environ.get(f"{prefix}_PASSWORD", "")
    if not user and not password:
        return None
    if not user or not password:
        has, lacks = ("USER", "PASSWORD") if user else ("PASSWORD", "USER")
        raise UsageError(
            f"{prefix}_{has} is set, and {prefix}_{lacks} is not.", hint="A log-in needs both of them."
        )
    if not (user + password).isprintable():
        # Python has stand-ins for bytes that are no text.
        raise UsageError(
            f"{prefix}_USER or {prefix}_PASSWORD holds what is no printable UTF-8 text.",
            hint="Set it to what the registry gave: a password file may end with a line's end of another system.",
        )
    return Credentials(user, password)
