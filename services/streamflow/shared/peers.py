"""The other services over HTTP: a client that hands the correlation id on, and whether they answer."""

from collections.abc import Mapping

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from streamflow.shared import correlation
from streamflow.shared.readiness import SECONDS, Check, Unavailable


class Health(BaseModel):
    """The answer of a service's `/health`."""

    status: str
    service: str
    version: str


async def _hand_on(request: httpx.Request) -> None:
    if (correlation_id := correlation.current()) is not None:
        request.headers[correlation.HEADER] = correlation_id


def peer_client(ways: Mapping[str, httpx.AsyncBaseTransport] | None = None) -> httpx.AsyncClient:
    """A client for the platform's own network, which no proxy of the host lies in.

    `ways` lead to services that are reached otherwise, by their URLs.
    """
    return httpx.AsyncClient(
        timeout=SECONDS, trust_env=False, mounts=ways, event_hooks={"request": [_hand_on]}
    )


async def health(client: httpx.AsyncClient, url: SecretStr) -> Health:
    """What the service at the URL says of itself. Raises Unavailable."""
    try:
        answer = await client.get(f"{url.get_secret_value().rstrip('/')}/health")
        answer.raise_for_status()
        return Health.model_validate_json(answer.content)
    except httpx.HTTPStatusError as error:
        raise Unavailable(f"answered {error.response.status_code}") from error
    except httpx.HTTPError as error:
        raise Unavailable(str(error) or type(error).__name__) from error
    except ValidationError as error:
        raise Unavailable("answered something else than its health") from error


def peer_check(name: str, client: httpx.AsyncClient, url: SecretStr) -> Check:
    """Whether another service is alive."""

    async def probe() -> None:
        await health(client, url)

    return Check(name, probe)
