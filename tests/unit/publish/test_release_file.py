"""The release file: what a push wrote is read again, and anything else is told."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from streamflow_build.errors import UsageError
from streamflow_build.model.release import (
    NotPublished,
    Published,
    PublishReport,
    Release,
    ReleasedImage,
    ReleasedTo,
    TagRefused,
)
from streamflow_build.publish import release_file

DIGEST = f"sha256:{'0' * 64}"
AGAIN = "Name another file, or remove this one: a push writes it anew."


def published(name: str = "web", registry: str = "ghcr.io/org", revision: str = "c0ffee") -> Published:
    return Published(
        service=name,
        repository=f"{registry}/shop-{name}",
        digest=DIGEST,
        size=7,
        fingerprint="f",
        revision=revision,
        sent=True,
        tags=("1.2.0", "latest"),
        set=("latest",),
        seconds=0.5,
    )


def report(
    *images: Published | NotPublished, version: str = "1.2.0", registry: str = "ghcr.io/org"
) -> PublishReport:
    return PublishReport(version, registry, images, (TagRefused("1", "1.3.0 has it"),), 1.5, ())


def held(registry: str = "ghcr.io/org", revision: str = "c0ffee") -> ReleasedTo:
    image = ReleasedImage("web", f"{registry}/shop-web", DIGEST, 7, "f", revision, ("1.2.0", "latest"))
    return ReleasedTo(registry, (image,), (TagRefused("1", "1.3.0 has it"),))


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        release_file.load(path)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "of/no/folder/release.json"
    release_file.write(path, report(published(), NotPublished("mail", "ghcr.io/org/shop-mail", "no", None)))
    assert release_file.load(path) == Release("1.2.0", "c0ffee", (held(),))
    assert release_file.read(path) == release_file.load(path)


def test_the_same_version_elsewhere_stays(tmp_path: Path) -> None:
    path = tmp_path / "release.json"
    release_file.write(path, report(published()))
    release_file.write(path, report(published(registry="localhost:5000"), registry="localhost:5000"))
    release_file.write(path, report(published()))
    assert release_file.load(path) == Release("1.2.0", "c0ffee", (held("localhost:5000"), held()))


def test_another_version_does_not_stay(tmp_path: Path) -> None:
    path = tmp_path / "release.json"
    release_file.write(path, report(published(), version="1.1.0"))
    release_file.write(path, report(published(registry="localhost:5000"), registry="localhost:5000"))
    assert release_file.load(path) == Release("1.2.0", "c0ffee", (held("localhost:5000"),))


@pytest.mark.parametrize(
    ("revisions", "commit"), [(("a", "a"), "a"), (("a", "b"), None), (("", ""), None), ((), None)]
)
def test_the_commit_is_that_of_all_images(
    tmp_path: Path, revisions: tuple[str, ...], commit: str | None
) -> None:
    path = tmp_path / "release.json"
    release_file.write(path, report(*(published(revision=each) for each in revisions)))
    assert release_file.load(path).commit == commit


def test_keys_of_a_newer_version_are_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "release.json"
    release_file.write(path, report(published()))
    told = json.loads(path.read_text())
    told["signature"] = told["registries"][0]["images"][0]["signature"] = [1]
    path.write_text(json.dumps(told))
    assert release_file.load(path) == Release("1.2.0", "c0ffee", (held(),))


def test_no_file(tmp_path: Path) -> None:
    path = tmp_path / "release.json"
    assert release_file.read(path) is None
    assert refusal(path) == (
        f"There is no release in {path}.\n"
        "A push writes it, such as: streamflow-build push ghcr.io/org. Or name one: --release FILE"
    )
    path.write_text(" \n")
    assert release_file.read(path) is None
    assert refusal(path).startswith(f"There is no release in {path}.\n")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("file/release.json", "Not a directory"),
        ("round", "Too many levels of symbolic links"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "round").symlink_to("round")
    path = tmp_path / name
    assert refusal(path) == (
        f"The release file {path} can't be read: {reason}.\nFix it, or name another file."
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"version": "1.2.0"', "Input data was truncated"),
        (b"version: 1.2.0", "JSON is malformed: invalid character (byte 0)"),
        (b"[]", "Expected `object`, got `array`"),
        (b"null", "Expected `object`, got `null`"),
        (b"{}", "Object missing required field `version`"),
        (
            b'{"version": 1.2, "commit": null, "registries": []}',
            "Expected `str`, got `float` - at `$.version`",
        ),
        (
            b'{"version": "1.2.0", "commit": null, "registries": [{"registry": null}]}',
            "Expected `str`, got `null` - at `$.registries[0].registry`",
        ),
        (b'{"version": "\xff"}', "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (
            b'{"more": ' + b"[" * 100_000,
            "maximum recursion depth exceeded while deserializing an object",
        ),
    ],
    ids=range(9),
)
def test_a_file_that_no_push_wrote(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "release.json"
    path.write_bytes(content)
    assert refusal(path) == f"{path} is no release file, or a damaged one: {said}.\n{AGAIN}"


def test_what_is_no_release_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "package.json"
    path.write_text('{"name": "shop"}')
    with pytest.raises(UsageError) as caught:
        release_file.write(path, report(published()))
    assert caught.value.message.startswith(f"{path} is no release file, or a damaged one: ")
    assert path.read_text() == '{"name": "shop"}'


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["a folder", "a pipe"])
def test_what_is_no_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "release"
    make(path)
    assert refusal(path) == f"{path} is no file that can hold a release.\nName another file."


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "release.json"
    path.mkdir()
    with pytest.raises(UsageError) as caught:
        release_file.check_writable(path)
    assert str(caught.value) == (
        f"The release file {path} can't be written: Is a directory.\n--output names another file."
    )


class TestNamed:
    def test_the_last_one(self, tmp_path: Path) -> None:
        assert release_file.named(tmp_path, None) == tmp_path / ".streamflow/release.json"

    @pytest.mark.parametrize("word", ["v1.2.0", "1.2.0"])
    def test_a_version(self, word: str, tmp_path: Path) -> None:
        release_file.note(tmp_path, None, report(published()))
        release_file.note(tmp_path, None, report(published(), version="1.3.0"))
        assert release_file.load(release_file.named(tmp_path, word)).version == "1.2.0"
        assert release_file.load(release_file.named(tmp_path, None)).version == "1.3.0"

    def test_a_version_that_was_not_published_here(self, tmp_path: Path) -> None:
        for version in ("1.2.0", "1.3.0-rc.1"):
            release_file.note(tmp_path, None, report(published(), version=version))
        said = refusal(release_file.named(tmp_path, "v2.0.0")).splitlines()[0]
        assert said == (
            f"There is no release in {tmp_path}/.streamflow/releases/2.0.0.json. "
            "There are releases of 1.2.0, 1.3.0-rc.1."
        )

    def test_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert release_file.named(tmp_path, "dist/x.json") == Path("dist/x.json")
        Path("1.2.0").touch()
        assert release_file.named(tmp_path, "1.2.0") == Path("1.2.0")

    def test_another_place_is_the_only_one(self, tmp_path: Path) -> None:
        release_file.note(tmp_path, tmp_path / "there.json", report(published()))
        assert [path.name for path in tmp_path.iterdir()] == ["there.json"]
