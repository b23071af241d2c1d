from __future__ import annotations

import io
import tarfile

import pytest

from streamflow_build.engine.context import PART, archive
from streamflow_build.model.image import ContextFile

FILES = (
    ContextFile("services/b.py", 0o644, b"b"),
    ContextFile("services/a.sh", 0o755, b"a"),
    ContextFile("services/link", 0o755, b"", target="a.sh"),
    ContextFile("Dockerfile", 0o644, b"FROM scratch\n"),
)


def packed(*files: ContextFile) -> bytes:
    return b"".join(archive(files))


def test_an_archive_holds_files_in_order_owned_by_root_with_one_time() -> None:
    with tarfile.open(fileobj=io.BytesIO(packed(*FILES))) as tar:
        entries = tar.getmembers()
    assert [(e.name, oct(e.mode), e.type, e.linkname) for e in entries] == [
        ("Dockerfile", "0o644", tarfile.REGTYPE, ""),
        ("services", "0o755", tarfile.DIRTYPE, ""),
        ("services/a.sh", "0o755", tarfile.REGTYPE, ""),
        ("services/b.py", "0o644", tarfile.REGTYPE, ""),
        ("services/link", "0o777", tarfile.SYMTYPE, "a.sh"),
    ]
    assert {(e.uid, e.gid, e.uname, e.gname, e.mtime) for e in entries} == {(0, 0, "", "", 315_532_800)}


def test_the_same_files_give_the_same_bytes_in_any_order() -> None:
    assert packed(*FILES) == packed(*reversed(FILES))


def test_a_long_path_needs_no_pax_header() -> None:
    path = "/".join(["folder" * 10] * 5) + "/grüße.py"
    archived = packed(ContextFile(path, 0o644, b"x"))
    assert b"PaxHeader" not in archived
    with tarfile.open(fileobj=io.BytesIO(archived)) as tar:
        assert tar.getmembers()[-1].name == path


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, PART - 1, PART, PART + 1, 3 * PART])
def test_a_file_of_any_size_arrives_whole(size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    with tarfile.open(fileobj=io.BytesIO(packed(ContextFile("a", 0o644, content), *FILES))) as tar:
        arrived = tar.extractfile("a")
        assert arrived is not None
        assert arrived.read() == content
        assert tar.getnames()[-1] == "services/link"


def test_a_large_file_is_not_copied() -> None:
    content = bytes(4 * PART)
    parts = [part for part in archive([ContextFile("a", 0o644, content)]) if isinstance(part, memoryview)]
    assert [len(part) for part in parts] == [PART] * 4
    assert all(part.obj is content for part in parts)
