"""Whether what a service depends on answers: the checks behind `/ready`."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, SecretStr

SECONDS = 2.0
"""How long a dependency may take to answer."""
_AGAIN_SECONDS = 0.5


class Unavailable(Exception):  # noqa: N818  # a state of the world, not a mistake
    """A dependency doesn't answer as it should; the text says how, without secrets."""


@dataclass(frozen=True, slots=True)
class Check:
    """A configured dependency; `probe` returns when it answers and raises Unavailable when it doesn't."""

    name: str
    probe: Callable[[], Awaitable[None]]


def configured(*dependencies: tuple[Callable[[SecretStr], Check], SecretStr | None]) -> tuple[Check, ...]:
    """The checks of those dependencies that have a URL."""
    return tuple(check(url) for check, url in dependencies if url is not None)


class Outcome(BaseModel):
    """What one check found."""

    status: Literal["ok", "unavailable"]
    reason: str | None = None


class Readiness(BaseModel):
    """The answer of `/ready`."""

    status: Literal["ready", "not ready"]
    checks: dict[str, Outcome]


async def readiness(checks: tuple[Check, ...]) -> Readiness:
    """Make all checks at once, each within SECONDS. Without any a service is ready."""
    outcomes = await asyncio.gather(*map(_outcome, checks))
    ready = all(outcome.status == "ok" for outcome in outcomes)
    return Readiness(
        status="ready" if ready else "not ready",
        checks={check.name: outcome for check, outcome in zip(checks, outcomes, strict=True)},
    )


async def answering(check: Check | None) -> None:
    """Return once a dependency answers; at once where there is none."""
    while check is not None and (await _outcome(check)).status != "ok":  # noqa: ASYNC110 - it is asked, and tells nothing
        await asyncio.sleep(_AGAIN_SECONDS)


async def _outcome(check: Check) -> Outcome:
    try:
        async with asyncio.timeout(SECONDS):
            await check.probe()
    except TimeoutError:
        return Outcome(status="unavailable", reason=f"no answer within {SECONDS:g} s")
    except Unavailable as error:
        return Outcome(status="unavailable", reason=str(error))
    return Outcome(status="ok")
