"""Images from a registry, or from a mirror of it under their own name."""

from __future__ import annotations

from docker import auth
from docker.errors import APIError, DockerException
from docker.utils import parse_repository_tag

from streamflow_build.engine import stored
from streamflow_build.engine.connection import Connection, explanation
from streamflow_build.engine.credentials import credentials
from streamflow_build.engine.interface import PullObserver
from streamflow_build.errors import RegistryError
from streamflow_build.model.credentials import Credentials


def pull(connection: Connection, reference: str, mirror: str | None, observer: PullObserver) -> None:
    """Get an image; raises RegistryError when it is not available."""
    if mirror is None or "@" in reference:
        # A digest can't be set as a name: such an image is had under its own name or not at all.
        _fetch(connection, reference, reference, observer)
        return
    host, path = auth.split_repo_name(reference)
    if host == auth.INDEX_NAME and "/" not in path:
        path = f"library/{path}"
    mirrored = f"{mirror.rstrip('/')}/{path}"
    had = stored.find(connection, mirrored) is not None
    _fetch(connection, mirrored, reference, observer)
    stored.tag(connection, mirrored, (reference,))
    if not had:
        stored.untag(connection, mirrored)


def _login(found: Credentials) -> dict[str, str]:
    """Credentials as the engine's API takes them."""
    if found.user:
        return {"username": found.user, "password": found.password}
    return {"identitytoken": found.password} if found.password else {}


def _fetch(connection: Connection, source: str, reference: str, observer: PullObserver) -> None:
    repository, name = parse_repository_tag(source)
    host, _ = auth.split_repo_name(repository)
    client = connection.client
    with connection.errors():
        try:
            for line in client.pull(
                repository, name or "latest", stream=True, decode=True, auth_config=_login(credentials(host))
            ):
                if error := line.get("error"):
                    raise _unavailable(reference, source, host, error)
                detail = line.get("progressDetail") or {}
                if "current" in detail:
                    observer(line["id"], detail["current"], detail.get("total", 0))
        except APIError as error:
            raise _unavailable(reference, source, host, explanation(error)) from error
        except DockerException as error:
            raise _unavailable(reference, source, host, str(error)) from error


def _unavailable(reference: str, source: str, host: str, words: str) -> RegistryError:
    through = "" if source == reference else f" through the mirror {source}"
    return RegistryError(
        f"The image {reference} is not available{through}: {words}",
        hint=f"Check its name, that {host} can be reached from the engine, and `docker login {host}`; "
        "`mirrors:` in streamflow.yaml names another source for it.",
    )
