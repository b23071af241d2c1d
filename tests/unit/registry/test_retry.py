"""What is tried again, how often, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streamflow_build.errors import Interrupted, RegistryError
from streamflow_build.registry import retry
from streamflow_build.registry.retry import Patience, Transient


@pytest.fixture(autouse=True)
def without_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_wait", lambda _: 0.0)


def failing(times: int, **trouble: object) -> Callable[[], str]:
    """Something that works after so many failures."""
    left = iter(range(times))

    def attempt() -> str:
        if next(left, None) is not None:
            raise Transient("503 for the tags", **trouble)
        return "done"

    return attempt


def test_it_goes_on_until_it_works_and_tells_each_time() -> None:
    told: list[str] = []
    assert Patience(told.append).run("web", failing(4)) == "done"
    assert told == [f"web: 503 for the tags; attempt {number} of 5 in 0.0 s" for number in (2, 3, 4, 5)]


def test_it_gives_up() -> None:
    told: list[str] = []
    with pytest.raises(RegistryError) as caught:
        Patience(told.append).run("web", failing(5))
    assert caught.value.message == "web: 503 for the tags (5 attempts)."
    assert caught.value.hint == "Run the command again later: it sends only what is missing."
    assert len(told) == 4


def test_a_wait_that_is_too_long_is_not_waited() -> None:
    with pytest.raises(RegistryError) as caught:
        Patience(pytest.fail).run("web", failing(1, after=61.0, hint="Log in."))
    assert caught.value.message == "web: 503 for the tags, and the registry asks to wait 61 s."
    assert caught.value.hint == "Log in."


def test_what_is_not_transient_comes_at_once() -> None:
    def attempt() -> None:
        raise RegistryError("refused")

    with pytest.raises(RegistryError, match=r"^refused$"):
        Patience(pytest.fail).run("web", attempt)


def test_an_ended_run_waits_for_nothing() -> None:
    patience = Patience(lambda _: patience.end())
    with pytest.raises(Interrupted):
        patience.run("web", failing(2))
