"""Who the user is to a registry, as Docker's own configuration says (config.json, credential helpers)."""

from __future__ import annotations

import subprocess
import warnings
from typing import NamedTuple

from docker import auth
from docker.errors import DockerException

from streamflow_build.errors import RegistryError

_HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


class Credentials(NamedTuple):
    """User and password; an identity token is a password without a user; both are empty for nobody."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r})"


def credentials(host: str) -> Credentials:
    """The credentials for a registry's host, as BuildKit asks for them.

    Docker Hub asks as registry-1.docker.io. May run a credential helper. Raises RegistryError when the
    configuration or the helper is broken.
    """
    try:
        with warnings.catch_warnings():
            # docker-py warns and raises about a helper that isn't installed; once is enough.
            warnings.simplefilter("ignore")
            entry = auth.load_config().resolve_authconfig("docker.io" if host in _HUB_HOSTS else host)
    except (DockerException, OSError, ValueError, subprocess.SubprocessError) as error:
        raise RegistryError(
            f"Docker's configuration has no usable credentials for {host}: {error}",
            hint=f"Run `docker login {host}`, or mend ~/.docker/config.json.",
        ) from error
    found = {key.lower(): value for key, value in (entry or {}).items()}
    if token := found.get("identitytoken"):
        return Credentials("", token)
    return Credentials(found.get("username") or "", found.get("password") or "")
