"""`streamflow-build render`: what it writes, prints and answers."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from streamflow_build.__main__ import main
from streamflow_build.config import load
from streamflow_build.errors import ConfigError
from streamflow_build.render import disk
from streamflow_build.render.artefacts import artefacts

HEADER = "# Rendered from streamflow.yaml by `streamflow-build render`; edits are lost.\n"


def files(root: Path) -> dict[str, tuple[bytes, int, int]]:
    return {
        str(path.relative_to(root)): (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def test_nothing_to_do(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(mixed)
    assert main(["render"]) == 0
    assert main(["render", "--check"]) == 0
    assert files(mixed) == before
    assert capsys.readouterr() == ("", "")


def test_writes_only_what_differs(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(mixed)
    (mixed / "docker/web/Dockerfile").write_text(f"{HEADER}edited\n")
    (mixed / "docker/mail/requirements.txt").unlink()
    assert main(["render"]) == 0
    assert capsys.readouterr().out == "wrote docker/mail/requirements.txt\nwrote docker/web/Dockerfile\n"
    after = files(mixed)
    assert {name: found[0] for name, found in after.items()} == {
        name: found[0] for name, found in before.items()
    }
    assert after["docker/web/Dockerfile"][1] & 0o777 == 0o644
    written = {name for name, found in after.items() if found[2] != before[name][2]}
    assert written == {"docker/mail/requirements.txt", "docker/web/Dockerfile"}


def test_what_was_written_by_hand_stays(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in ("docker/web/Dockerfile", ".dockerignore"):
        (mixed / path).write_text("by hand\n")
    (mixed / "docker/mail/Dockerfile").write_text(" \n")
    (mixed / "docker/packed/Dockerfile").unlink()
    before = files(mixed)
    assert main(["render"]) == 2
    assert files(mixed) == before
    assert capsys.readouterr().err == (
        "streamflow-build: Not rendered from streamflow.yaml, and so not overwritten: "
        ".dockerignore, docker/web/Dockerfile.\n"
        "Move it away; what it says belongs in streamflow.yaml, or in a template.\n"
    )


def test_what_another_version_of_the_tool_wrote_is_its_own(mixed: Path) -> None:
    (mixed / "docker/web/Dockerfile").write_text("# Rendered by a tool of another day.\nFROM x\n")
    (mixed / "docker/gone").mkdir()
    (mixed / "docker/gone/Dockerfile").write_text("# Rendered by a tool of another day.\nFROM x\n")
    assert main(["render"]) == 0
    assert (mixed / "docker/web/Dockerfile").read_text().startswith(HEADER)
    assert not (mixed / "docker/gone").exists()


def test_check_prints_the_difference(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ignore = mixed / ".dockerignore"
    ignore.write_text(ignore.read_text().replace("*.orig\n", "*.rej\n*.bak"))
    (mixed / "docker/gone").mkdir()
    (mixed / "docker/gone/Dockerfile").write_text(f"{HEADER}FROM x\n")
    (mixed / "docker/mail/requirements.txt").unlink()
    before = files(mixed)
    assert main(["render", "--check"]) == 7
    assert files(mixed) == before
    said = capsys.readouterr()
    assert said.out.endswith(
        f"--- a/docker/gone/Dockerfile\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-{HEADER}-FROM x\n"
    )
    assert "-*.rej\n-*.bak\n\\ No newline at end of file\n+*.orig\n" in said.out
    assert "--- /dev/null\n+++ b/docker/mail/requirements.txt\n@@ -0,0 +1,5 @@\n" in said.out
    assert said.err == (
        "streamflow-build: Not what streamflow.yaml says: .dockerignore, docker/mail/requirements.txt, "
        "docker/gone/Dockerfile.\nWrite them with: streamflow-build render\n"
    )


def test_what_was_rendered_for_a_service_that_is_gone_goes(
    mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (mixed / "docker/gone").mkdir()
    (mixed / "docker/gone/requirements.txt").write_text(HEADER)
    (mixed / "docker/mine").mkdir()
    (mixed / "docker/mine/Dockerfile").write_text("FROM x\n")
    assert main(["render"]) == 0
    assert capsys.readouterr() == (
        "removed docker/gone/requirements.txt, which is derived from nothing any more\n",
        "",
    )
    assert not (mixed / "docker/gone").exists()
    assert (mixed / "docker/mine/Dockerfile").read_text() == "FROM x\n"
    assert main(["render", "--check"]) == 0


def test_a_folder_is_in_the_way(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mixed / "docker/web/Dockerfile").unlink()
    (mixed / "docker/web/Dockerfile").mkdir()
    assert main(["render"]) == 2
    assert capsys.readouterr().err == (
        "streamflow-build: docker/web/Dockerfile can't be written: Is a directory.\n"
        "Make room or fix the permissions, and render again.\n"
    )
    assert sorted(path.name for path in (mixed / "docker/web").iterdir()) == [
        "Dockerfile",
        "requirements.txt",
    ]


def test_a_pipe_is_in_the_way(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mixed / "docker/web/Dockerfile").unlink()
    os.mkfifo(mixed / "docker/web/Dockerfile")
    assert main(["render", "--check"]) == 7
    assert capsys.readouterr().err == (
        "streamflow-build: Not what streamflow.yaml says: docker/web/Dockerfile.\n"
        "Write them with: streamflow-build render\n"
    )
    assert main(["render"]) == 0
    assert (mixed / "docker/web/Dockerfile").is_file()


def test_a_file_is_whole_or_as_it_was(mixed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The one way to have a disk fill up in the middle of a file without filling one up.
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (mixed / "docker/web/Dockerfile").write_text(f"{HEADER}before\n")
    project = load(mixed / "streamflow.yaml")
    found = artefacts(project)
    monkeypatch.setattr(Path, "chmod", full)
    with pytest.raises(ConfigError) as caught:
        disk.write(project.root, found)
    assert str(caught.value) == (
        "docker/web/Dockerfile can't be written: No space left on device.\n"
        "Make room or fix the permissions, and render again."
    )
    assert (mixed / "docker/web/Dockerfile").read_text() == f"{HEADER}before\n"
    assert sorted(path.name for path in (mixed / "docker/web").iterdir()) == [
        "Dockerfile",
        "requirements.txt",
    ]


def test_a_lock_that_is_no_text(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mixed / "locks/web.txt").write_bytes(b"\xff\xfe")
    assert main(["render"]) == 2
    assert capsys.readouterr().err == (
        "streamflow-build: locks/web.txt: it is not UTF-8 text.\n"
        "Write the lock anew, such as with: uv pip compile --generate-hashes\n"
    )


def test_a_lock_that_is_wrong_writes_nothing(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mixed / "docker/web/Dockerfile").unlink()
    (mixed / "locks/mail.txt").write_text("a>=1\n")
    before = files(mixed)
    assert main(["render"]) == 2
    assert files(mixed) == before
    assert capsys.readouterr().err == (
        "streamflow-build: locks/mail.txt:1: 'a>=1' is not pinned to one version with ==.\n"
        "Write the lock anew, such as with: uv pip compile --generate-hashes\n"
    )
