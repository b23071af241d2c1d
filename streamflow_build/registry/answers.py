"""What a registry's answers mean: refusals, what passes by itself, and its own words for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from streamflow_build.errors import RegistryError
from streamflow_build.registry.retry import Transient

_TRANSIENT = frozenset({500, 502, 503, 504})
_MOST_WORDS = 300
_PIECE = 1 << 16
# Of what has thousands of digits Python makes no number.
_DIGITS = 20


def check(answer: requests.Response, what: str) -> None:
    """Raise where the answer is no success: Transient for 429 and 5xx, RegistryError for all else.

    ``what`` was asked for, such as ``the manifest of org/web:1.0``.
    """
    status = answer.status_code
    if status < requests.codes.bad_request:
        return
    said = words(answer)
    told = f"{what}: {said}" if said else what
    if status == requests.codes.too_many_requests:
        raise Transient(f"429 for {told}", after=_retry_after(answer), hint=_limit(answer))
    if status in _TRANSIENT:
        raise Transient(f"{status} for {told}", after=_retry_after(answer))
    host = urlsplit(answer.url).netloc
    raise RegistryError(
        f"The registry {host} refused {what} ({status}){f': {said}' if said else ''}.", hint=_hint(said)
    )


def words(answer: requests.Response) -> str:
    """What the registry says of it: its errors' codes and messages; nothing where it says nothing readable."""
    try:
        found = "; ".join(
            " ".join(filter(None, (str(each.get("code", "")), str(each.get("message") or ""))))
            for each in document(answer)["errors"]
        )
    except (KeyError, TypeError, AttributeError):
        return ""
    return found[:_MOST_WORDS].rstrip(".")


def document(answer: requests.Response) -> Any:
    """The JSON of an answer; None where it is none, or one that is nested without an end."""
    with suppress(ValueError, RecursionError, requests.RequestException):
        return answer.json()
    return None


def pieces(answer: requests.Response, size: int) -> Iterator[bytes]:
    """The body of an answer that is read as it comes, in pieces of so many bytes. Raises RegistryError, Transient."""
    host = urlsplit(answer.url).netloc
    try:
        yield from answer.iter_content(size)
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
        raise Transient(f"the connection to {host} broke off in the middle of an answer") from error
    except requests.RequestException as error:
        raise RegistryError(f"What {host} answers can't be decoded: {error}.") from error


def whole(answer: requests.Response, most: int, what: str) -> bytes:
    """The body of an answer. Raises RegistryError where it has more bytes than ``most``, and as ``pieces`` does."""
    found = bytearray()
    for piece in pieces(answer, _PIECE):
        found += piece
        if len(found) > most:
            raise RegistryError(f"{what} is longer than the {most} bytes that it may have.")
    return bytes(found)


def address(base: str, told: str) -> str:
    """An address that a registry gave, which may be relative to that of the answer. Raises RegistryError."""
    try:
        found = urljoin(base, told)
        urlsplit(found).port  # noqa: B018 - it is looked at only when it is asked for
    except ValueError as error:
        # It may hold a secret, so it isn't repeated.
        raise RegistryError(f"The registry gave an address that is none: {error}.") from error
    return found


def _retry_after(answer: requests.Response) -> float | None:
    """Seconds, which the header gives as a number or as a date (RFC 9110, 10.2.3)."""
    told = answer.headers.get("Retry-After", "").strip()
    if told.isascii() and told.isdigit():
        return float(told[:9])
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _limit(answer: requests.Response) -> str | None:
    """What is left of a rate limit, as Docker Hub tells it: ``100;w=21600`` are 100 in 6 hours."""
    most, _, window = answer.headers.get("ratelimit-limit", "").partition(";w=")
    if not most:
        return None
    hours = (
        f" in {int(window) / 3600:g} hours"
        if window.isascii() and window.isdigit() and len(window) < _DIGITS
        else ""
    )
    left = answer.headers.get("ratelimit-remaining", "").partition(";")[0] or "0"
    return f"The rate limit is {most} requests{hours}, and {left} are left; who is logged in may have more."


def _hint(said: str) -> str | None:
    lowered = said.lower()
    if "immutable" in lowered:
        return (
            "The repository's tags are immutable there, so floating tags can't move: take them from `tags:` in "
            "streamflow.yaml, or let the repository's tags be changed."
        )
    if "name_unknown" in lowered or "does not exist" in lowered:
        return "Make the repository first; for ECR `create_repositories: true` in streamflow.yaml makes it."
    return None
