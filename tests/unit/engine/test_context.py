from __future__ import annotations

import io
import tarfile

from streamflow_build.engine.context import archive
from streamflow_build.model.image import ContextFile

FILES = (
    ContextFile("services/b.py", 0o644, b"b"),
    ContextFile("services/a.sh", 0o755, b"a"),
    ContextFile("services/link", 0o755, b"", target="a.sh"),
    ContextFile("Dockerfile", 0o644, b"FROM scratch\n"),
)


def test_an_archive_holds_files_in_order_owned_by_root_with_one_time() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive(FILES))) as tar:
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
    assert archive(FILES) == archive(tuple(reversed(FILES)))


def test_a_long_path_needs_no_pax_header() -> None:
    path = "/".join(["folder" * 10] * 5) + "/grüße.py"
    packed = archive([ContextFile(path, 0o644, b"x")])
    assert b"PaxHeader" not in packed
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert tar.getmembers()[-1].name == path
