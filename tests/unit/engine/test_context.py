"""What the engine knows a context by."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from streamflow_build.engine.context import shared_key
from streamflow_build.model.image import ContextFile

A = ContextFile("a", 0o644, b"one")
LINK = ContextFile("link", 0o777, b"", target="a")


@pytest.mark.parametrize(
    "others",
    [
        [replace(A, path="b"), LINK],
        [replace(A, mode=0o755), LINK],
        [replace(A, content=b"two"), LINK],
        [A, replace(LINK, target="b")],
        [A, replace(LINK, target=None)],
        [A],
        [],
    ],
)
def test_other_files_have_another_key(others: list[ContextFile]) -> None:
    assert shared_key([A, LINK]) == shared_key([replace(A), replace(LINK)])
    assert shared_key(others) != shared_key([A, LINK])


def test_what_ends_one_file_does_not_begin_the_next() -> None:
    assert shared_key([replace(A, content=b"onea")]) != shared_key([A, replace(A, content=b"")])
