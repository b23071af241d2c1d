"""Layers compressed: whoever reads gzip gets back what went in."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow_build.publish import packing
from streamflow_build.publish.packing import packed

PIECES = st.lists(st.binary(max_size=3000) | st.builds(bytes, st.integers(0, 200_000)), max_size=20)


@given(PIECES)
def test_what_is_unpacked_is_what_was_packed(pieces: list[bytes]) -> None:
    assert gzip.decompress(b"".join(packed(pieces))) == b"".join(pieces)


@pytest.mark.parametrize("pieces", [[], [b""]])
def test_nothing_is_a_gzip_file_too(pieces: list[bytes]) -> None:
    """A file of no bytes isn't one: programs say that it ends too early."""
    made = b"".join(packed(pieces))
    assert made[:2] == b"\x1f\x8b"
    assert gzip.decompress(made) == b""


def test_each_piece_is_a_whole_member() -> None:
    pieces = [b"one", b"two" * 1000, b"three"]
    left, found = b"".join(packed(pieces)), []
    while left:
        reader = zlib.decompressobj(31)
        found.append(reader.decompress(left))
        assert reader.eof
        left = reader.unused_data
    assert found == pieces


def test_a_tar_is_read_from_it() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("hello")
        entry.size = 2_000_000
        tar.addfile(entry, io.BytesIO(b"ab" * 1_000_000))
    whole = buffer.getvalue()

    made = b"".join(packed(whole[start : start + 100_000] for start in range(0, len(whole), 100_000)))

    assert len(made) < len(whole) / 10
    with tarfile.open(fileobj=io.BytesIO(made), mode="r:gz") as tar:
        content = tar.extractfile("hello")
        assert content is not None
        assert content.read() == b"ab" * 1_000_000


def test_few_pieces_are_in_memory_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing.os, "cpu_count", lambda: 2)
    taken = 0

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b"x"

    for given_out, _ in enumerate(packed(pieces()), 1):
        assert taken - given_out <= 5


def test_a_source_that_breaks_off_is_told() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"one"
        raise OSError("broken off")

    with pytest.raises(OSError, match="broken off"):
        list(packed(pieces()))
