from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from streamflow_build.errors import UsageError
from streamflow_build.report.writer import Writer


@pytest.mark.parametrize(
    ("encoding", "written"),
    [("utf-8", "… 143 → é"), ("ascii", "... 143 -> ?"), ("latin-1", "... 143 -> é")],
)
def test_characters_the_stream_lacks_are_spelt_differently(encoding: str, written: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    Writer(stream).write("… 143 → é")
    assert raw.getvalue().decode(encoding) == written


def test_a_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        writer = Writer(stream, essential=True)
        writer.write("one\n")
        assert os.read(reading, 10) == b"one\n"
        os.close(reading)
        writer.write("two\n")
        writer.write("three\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk() -> None:
    with Path("/dev/full").open("w") as stream:
        with pytest.raises(UsageError) as caught:
            Writer(stream, essential=True).write("the table\n")
        assert str(caught.value) == (
            "The report can't be written: No space left on device.\n"
            "Make room or point the output elsewhere, and run it again."
        )
    with Path("/dev/full").open("w") as stream:
        Writer(stream).write("progress\n")


def test_pieces_of_many_threads_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("w") as stream:
        writer = Writer(stream)

        def write(name: str) -> None:
            for number in range(200):
                writer.write(f"{name * 50} {number}\n")

        threads = [threading.Thread(target=write, args=(name,)) for name in "abcde"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = path.read_text().splitlines()
    assert sorted(lines) == sorted(f"{name * 50} {number}" for name in "abcde" for number in range(200))
