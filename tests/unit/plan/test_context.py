from __future__ import annotations

import os
from pathlib import Path

import pytest

from streamflow_build.errors import ConfigError
from streamflow_build.model.image import ContextFile
from streamflow_build.plan.context import Sources, collect
from streamflow_build.plan.dockerignore import DockerIgnore


def collected(root: Path, paths: list[str], rules: str) -> tuple[ContextFile, ...]:
    return collect(Sources(root), paths, DockerIgnore(rules))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for path, mode in {
        "services/shared/b.py": 0o600,
        "services/shared/a.sh": 0o775,
        "services/shared/__pycache__/b.pyc": 0o644,
        "services/ingestion/app.py": 0o666,
        "services/analytics/app.py": 0o644,
        "secret.env": 0o644,
    }.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
        file.chmod(mode)
    return tmp_path


def test_declared_files_sorted_with_their_modes(project: Path) -> None:
    found = collected(project, ["services/shared", "services/ingestion/app.py"], "**/__pycache__\n")
    assert [(file.path, oct(file.mode), file.content) for file in found] == [
        ("services/ingestion/app.py", "0o644", b"services/ingestion/app.py"),
        ("services/shared/a.sh", "0o755", b"services/shared/a.sh"),
        ("services/shared/b.py", "0o644", b"services/shared/b.py"),
    ]


def test_without_rules_all_is_taken_once(project: Path) -> None:
    found = collected(project, ["services/shared", "services/shared/b.py", "services/"], "")
    assert [file.path for file in found] == [
        "services/analytics/app.py",
        "services/ingestion/app.py",
        "services/shared/__pycache__/b.pyc",
        "services/shared/a.sh",
        "services/shared/b.py",
    ]


def test_rules_of_the_folders_above_hold(project: Path) -> None:
    assert collected(project, ["services/shared"], "services\n") == ()
    kept = collected(project, ["services/shared"], "*\n!services/shared/b.py\n")
    assert [file.path for file in kept] == ["services/shared/b.py"]


def test_links_inside_the_sources_stay_links(project: Path) -> None:
    (project / "services/shared/link.py").symlink_to("b.py")
    (project / "services/shared/folder").symlink_to("../ingestion")
    found = collected(project, ["services/shared", "services/ingestion"], "**/__pycache__")
    assert [file for file in found if file.target] == [
        ContextFile("services/shared/folder", 0o755, b"", target="../ingestion"),
        ContextFile("services/shared/link.py", 0o755, b"", target="b.py"),
    ]


def test_a_links_target_is_sent_as_it_stands(project: Path) -> None:
    for name, target in {"odd": "./../shared/../shared/.", "link.py": "./../shared//b.py"}.items():
        (project / "services/shared" / name).symlink_to(target)
    found = collected(project, ["services/shared"], "")
    assert {file.path: file.target for file in found if file.target} == {
        "services/shared/link.py": "./../shared//b.py",
        "services/shared/odd": "./../shared/../shared/.",
    }


@pytest.mark.parametrize("target", ["../../secret.env", "/etc/passwd", "../analytics/app.py", "../.."])
def test_a_link_that_leads_out_of_the_sources_is_refused(project: Path, target: str) -> None:
    (project / "services/shared/link").symlink_to(target)
    with pytest.raises(ConfigError) as error:
        collected(project, ["services/shared"], "")
    assert str(error.value) == (
        f"services/shared/link is a symbolic link to {target}, which is not among the service's sources.\n"
        "Declare what it points to under `sources`, or replace the link by a copy."
    )


def test_an_ignored_link_does_not_matter(project: Path) -> None:
    (project / "services/shared/link").symlink_to("/etc/passwd")
    assert "services/shared/link" not in {f.path for f in collected(project, ["services/shared"], "**/link")}


def test_what_is_missing_is_named(project: Path) -> None:
    with pytest.raises(ConfigError, match=r"^services/nope can't be read: No such file or directory[.]$"):
        collected(project, ["services/nope"], "")


def test_a_name_that_is_not_utf8_is_refused_unless_it_is_ignored(project: Path) -> None:
    (project / "services/shared" / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    with pytest.raises(ConfigError) as error:
        collected(project, ["services/shared"], "")
    assert str(error.value) == (
        "'services/shared/caf\\udce9.txt' has a name that is not UTF-8, and no build can be sent it.\n"
        "Rename the file, or leave it out under `ignore`."
    )
    assert collected(project, ["services/shared"], "**/caf*") == collected(
        project, ["services/shared"], "**/*.txt"
    )


def test_a_pipe_is_refused(project: Path) -> None:
    os.mkfifo(project / "services/shared/pipe")
    with pytest.raises(ConfigError) as error:
        collected(project, ["services/shared"], "")
    assert (
        str(error.value)
        == "services/shared/pipe is neither a file nor a folder nor a link: no image can hold it."
    )


def test_a_file_that_no_memory_holds_is_refused_unless_it_is_ignored(project: Path) -> None:
    (project / "services/ingestion/huge").touch()
    os.truncate(project / "services/ingestion/huge", 200 * 2**30)
    with pytest.raises(ConfigError) as error:
        collected(project, ["services/ingestion"], "")
    assert str(error.value) == (
        "services/ingestion/huge has 214,748,364,800 bytes, and a file of a build has 2,147,483,648 at most.\n"
        "Leave it out under `ignore`, or move it out of the service's sources."
    )
    assert [file.path for file in collected(project, ["services/ingestion"], "**/huge")] == [
        "services/ingestion/app.py"
    ]


def test_folders_may_lie_deeper_than_calls(project: Path) -> None:
    folders = [project / ("d/" * depth) for depth in range(1, 1201)]
    for folder in folders:
        folder.mkdir()
    deepest = folders[-1] / "a.py"
    deepest.touch()
    try:
        (file,) = collected(project, ["d"], "")
    finally:
        # What tidies up after tests calls itself for each folder.
        deepest.unlink()
        for folder in reversed(folders):
            folder.rmdir()
    assert file.path == f"{'d/' * 1200}a.py"


def test_a_file_that_several_services_share_is_read_and_held_once(project: Path) -> None:
    sources = Sources(project)
    (one,) = collect(sources, ["services/shared"], DockerIgnore("*\n!services/shared/b.py\n"))
    other = collect(sources, ["services/shared", "services/ingestion"], DockerIgnore("**/__pycache__"))
    assert [file.path for file in other if file is one] == ["services/shared/b.py"]
