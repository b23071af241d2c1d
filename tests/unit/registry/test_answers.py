"""What a registry's answers mean."""

from __future__ import annotations

import json
import time
from email.utils import formatdate

import pytest
import requests

from streamflow_build.errors import RegistryError
from streamflow_build.registry.answers import address, check, document, words
from streamflow_build.registry.retry import Transient


def answer(status: int, body: object = None, **headers: str) -> requests.Response:
    made = requests.Response()
    made.status_code, made.url = status, "https://registry.example/v2/org/web/tags/list"
    made._content = json.dumps(body).encode()
    made.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return made


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_passes_by_itself(status: int) -> None:
    with pytest.raises(Transient) as caught:
        check(answer(status, Retry_After="7"), "the tags of org/web")
    assert (caught.value.reason, caught.value.after) == (f"{status} for the tags of org/web", 7.0)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("", None),
        ("soon", None),
        ("0", 0.0),
        ("12", 12.0),
        ("Fri, 99999999999 Dec 2026 00:00:00 GMT", None),
        ("Fri, 31 Dec 99999999999 00:00:00 GMT", None),
    ],
)
def test_how_long_to_wait(told: str, seconds: float | None) -> None:
    with pytest.raises(Transient) as caught:
        check(answer(503, Retry_After=told), "it")
    assert caught.value.after == seconds


def test_a_wait_until_a_moment() -> None:
    with pytest.raises(Transient) as caught:
        check(answer(503, Retry_After=formatdate(time.time() + 30, usegmt=True)), "it")
    assert caught.value.after == pytest.approx(30, abs=2)


@pytest.mark.parametrize("window", ["²", "x", "", "9" * 5000])
def test_a_rate_limit_of_no_known_time(window: str) -> None:
    with pytest.raises(Transient) as caught:
        check(answer(429, ratelimit_limit=f"100;w={window}"), "it")
    assert caught.value.hint == (
        "The rate limit is 100 requests, and 0 are left; who is logged in may have more."
    )


def test_the_rate_limit_is_told() -> None:
    limited = answer(429, ratelimit_limit="100;w=21600", ratelimit_remaining="0;w=21600")
    with pytest.raises(Transient) as caught:
        check(limited, "it")
    assert caught.value.hint == (
        "The rate limit is 100 requests in 6 hours, and 0 are left; who is logged in may have more."
    )


def test_a_refusal_in_the_registrys_words() -> None:
    body = {"errors": [{"code": "DENIED", "message": "requested access to the resource is denied"}]}
    with pytest.raises(RegistryError) as caught:
        check(answer(403, body), "the tags of org/web")
    assert caught.value.message == (
        "The registry registry.example refused the tags of org/web (403): "
        "DENIED requested access to the resource is denied."
    )


def test_tags_that_are_immutable() -> None:
    body = {"errors": [{"code": "TAG_INVALID", "message": "the tag 'latest' is immutable"}]}
    with pytest.raises(RegistryError) as caught:
        check(answer(400, body), "the tag org/web:latest")
    assert caught.value.hint == (
        "The repository's tags are immutable there, so floating tags can't move: take them from `tags:` in "
        "streamflow.yaml, or let the repository's tags be changed."
    )


@pytest.mark.parametrize("body", [None, [], {"errors": 7}, {"errors": [7]}, {"errors": None}])
def test_words_that_are_none(body: object) -> None:
    with pytest.raises(RegistryError, match=r"refused it \(400\)\.$"):
        check(answer(400, body), "it")


def test_a_success_is_none_of_this() -> None:
    check(answer(201), "it")


@pytest.mark.parametrize("content", [b"", b"?", b"\xff", b"[" * 100_000, b'{"errors":' * 100_000])
def test_what_is_no_json(content: bytes) -> None:
    made = answer(404)
    made._content = content
    assert document(made) is None
    assert words(made) == ""


BASE = "https://registry.example/v2/org/web/blobs/uploads/"


@pytest.mark.parametrize(
    ("told", "whole"),
    [
        (
            "/v2/org/web/blobs/uploads/1?_state=x",
            "https://registry.example/v2/org/web/blobs/uploads/1?_state=x",
        ),
        ("2", f"{BASE}2"),
        ("http://elsewhere.example:5000/3", "http://elsewhere.example:5000/3"),
    ],
)
def test_an_address(told: str, whole: str) -> None:
    assert address(BASE, told) == whole


@pytest.mark.parametrize("told", ["http://[::1", "http://[x]/", "http://host:99999/", "http://host:port/"])
def test_an_address_that_is_none(told: str) -> None:
    with pytest.raises(RegistryError) as caught:
        address(BASE, told)
    assert caught.value.message.startswith("The registry gave an address that is none: ")
