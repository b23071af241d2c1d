"""What the commands share that write to a registry."""

from __future__ import annotations

import io
from typing import Any

import pytest

from streamflow_build.cli.publishing import given_credentials
from streamflow_build.errors import UsageError


class Broken(io.RawIOBase):
    def readall(self) -> bytes:
        raise OSError(5, "Input/output error")

    def readable(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        (None, "There is no password on standard input."),
        (io.BytesIO(b"\n"), "There is no password on standard input."),
        (io.BytesIO(b"h\xffsh"), "The password on standard input is no UTF-8 text."),
        (Broken(), "Standard input can't be read: Input/output error."),
    ],
    ids=["closed", "empty", "no text", "broken"],
)
def test_no_password(stdin: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None if stdin is None else io.TextIOWrapper(stdin))
    with pytest.raises(UsageError) as caught:
        given_credentials("me", True)
    assert caught.value.message == message
    assert caught.value.hint == "Give it: … --password-stdin < password.txt"


def test_a_password_is_read_to_its_line_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("hü sh\r\n".encode())))
    found = given_credentials("me", True)
    assert found is not None
    assert found.password == "hü sh"
