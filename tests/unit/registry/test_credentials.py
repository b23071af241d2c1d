"""Where credentials come from."""

from __future__ import annotations

import pytest

from streamflow_build.errors import UsageError
from streamflow_build.model.credentials import Credentials
from streamflow_build.registry.credentials import chosen

GENERAL = {"STREAMFLOW_REGISTRY_USER": "general", "STREAMFLOW_REGISTRY_PASSWORD": "g"}
NAMED = {"STREAMFLOW_REGISTRY_MY_HUB_USER": "named", "STREAMFLOW_REGISTRY_MY_HUB_PASSWORD": "n"}


@pytest.mark.parametrize(
    ("given", "name", "environ", "user"),
    [
        (Credentials("given", "x"), "my-hub", GENERAL | NAMED, "given"),
        (None, "my-hub", GENERAL | NAMED, "named"),
        (None, "other", GENERAL | NAMED, "general"),
        (None, None, GENERAL | NAMED, "general"),
        (None, "my-hub", {}, "configured"),
    ],
)
def test_the_nearest_word_counts(
    given: Credentials | None, name: str | None, environ: dict[str, str], user: str
) -> None:
    assert chosen(given, name, environ, lambda: Credentials("configured", "c"))().user == user


def test_dockers_configuration_is_asked_only_where_nothing_else_tells() -> None:
    assert chosen(None, None, GENERAL, lambda: pytest.fail("asked"))() == Credentials("general", "g")


@pytest.mark.parametrize(("has", "lacks"), [("USER", "PASSWORD"), ("PASSWORD", "USER")])
def test_half_a_log_in_is_refused(has: str, lacks: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(None, None, {f"STREAMFLOW_REGISTRY_{has}": "x"}, lambda: Credentials("", ""))
    assert (
        caught.value.message == f"STREAMFLOW_REGISTRY_{has} is set, and STREAMFLOW_REGISTRY_{lacks} is not."
    )


@pytest.mark.parametrize("password", ["\udcff", "s3cret\r", "a\x00"])
def test_a_password_that_no_header_can_hold(password: str) -> None:
    environ = {"STREAMFLOW_REGISTRY_USER": "me", "STREAMFLOW_REGISTRY_PASSWORD": password}
    with pytest.raises(UsageError) as caught:
        chosen(None, None, environ, lambda: Credentials("", ""))
    assert caught.value.message == (
        "STREAMFLOW_REGISTRY_USER or STREAMFLOW_REGISTRY_PASSWORD holds what is no printable UTF-8 text."
    )


def test_a_password_is_in_no_repr() -> None:
    assert repr(Credentials("me", "s3cret")) == "Credentials(user='me')"
