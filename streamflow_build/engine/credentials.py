"""Who the user is to a registry, as Docker's own configuration says (config.json, credential helpers)."""

from __future__ import annotations

import json
import subprocess
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from docker import auth
from docker.credentials.errors import StoreError, process_store_error
from docker.credentials.store import Store
from docker.errors import DockerException
from docker.utils.config import find_config_file, load_general_config
from docker.utils.proxy import ProxyConfig

from streamflow_build.errors import EngineError, RegistryError
from streamflow_build.model.credentials import Credentials

HELPER_SECONDS = 30
"""How long a credential helper may take to answer; it may ask for the password of a key ring."""

_HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


class _Store(Store):
    """A credential helper that has only so long to answer."""

    def _execute(self, subcmd: str, data_input: bytes | None) -> bytes:
        if self.exe is None:
            raise StoreError(f"{self.program} not installed or not available in PATH")
        try:
            return subprocess.run(
                [self.exe, subcmd],
                input=data_input,
                stdout=subprocess.PIPE,
                check=True,
                timeout=HELPER_SECONDS,
            ).stdout
        except subprocess.CalledProcessError as error:
            raise process_store_error(error, self.program) from error
        except subprocess.TimeoutExpired as error:
            raise StoreError(f"{self.program} gave no answer within {HELPER_SECONDS} seconds") from error


class _Configuration(auth.AuthConfig):
    def _get_store_instance(self, name: str) -> Store:
        return _Store(name)


def check_configuration() -> None:
    """See that Docker's configuration can be read; raises EngineError, naming the file, where it can't."""
    place: Any = find_config_file()
    try:
        _check_json(place)
        for settings in (load_general_config() or {}).get("proxies", {}).values():
            ProxyConfig.from_dict(settings)
        _Configuration.load_config(None, None)
    except DockerException as error:
        fault = str(error)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        fault = f"it is no JSON: {error}"
    except ValueError:
        fault = "a registry's `auth` is not the base64 of user:password"
    except (AttributeError, TypeError, KeyError, RecursionError):
        fault = "a part of it is not of the kind that Docker writes there"
    else:
        return
    raise EngineError(
        f"Docker's configuration {place} is broken: {fault}.",
        hint="Fix the file, or move it away and run `docker login` again.",
    )


def _check_json(place: str | None) -> None:
    """Read the file as JSON, which docker-py takes for no configuration where it isn't any. Raises ValueError."""
    # What can't be read is none to Docker, too, and the older .dockercfg may have another form.
    with suppress(OSError):
        if place is not None and place.endswith(".json") and (text := Path(place).read_bytes().strip()):
            json.loads(text)


def credentials(host: str) -> Credentials:
    """The credentials for a registry's host, as BuildKit asks for them.

    Docker Hub asks as registry-1.docker.io. May run a credential helper. Raises RegistryError when the
    configuration or the helper is broken.
    """
    try:
        with warnings.catch_warnings():
            # docker-py warns and raises about a helper that isn't installed; once is enough.
            warnings.simplefilter("ignore")
            entry = _Configuration.load_config(None, None).resolve_authconfig(
                "docker.io" if host in _HUB_HOSTS else host
            )
    except (DockerException, OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise RegistryError(
            f"Docker's configuration has no usable credentials for {host}: {error}",
            hint=f"Run `docker login {host}`, or fix ~/.docker/config.json.",
        ) from error
    found = {key.lower(): value for key, value in (entry or {}).items()}
    if token := found.get("identitytoken"):
        given = Credentials("", token)
    else:
        given = Credentials(found.get("username") or "", found.get("password") or "")
    if not "".join(given).isprintable():
        raise RegistryError(
            f"Docker's configuration has credentials for {host} that are no printable text.",
            hint=f"Run `docker login {host}` again.",
        )
    return given
