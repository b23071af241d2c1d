"""What a run of ``push`` prints."""

from __future__ import annotations

import io
import json

import msgspec
import pytest

from streamflow_build.errors import RegistryError
from streamflow_build.model.release import Cancelled, NotPublished, Published, PublishReport, TagRefused
from streamflow_build.report import plain_publish
from streamflow_build.report.clean import Mask
from streamflow_build.report.publish import observing
from streamflow_build.report.run import Manner

from .terminal import ESCAPE, Stream

DIGEST = "sha256:" + "0123456789abcdef" * 4


def published(service: str, *, sent: bool, put: tuple[str, ...]) -> Published:
    return Published(
        service=service,
        repository=f"ghcr.io/org/shop-{service}",
        digest=DIGEST,
        size=12_345_678,
        fingerprint="f" * 64,
        revision="abc",
        sent=sent,
        tags=("v1.0.0", "1.0.0", "latest"),
        set=put,
        seconds=1.25,
    )


REPORT = PublishReport(
    version="1.0.0",
    registry="ghcr.io/org",
    images=(
        published("web", sent=True, put=("v1.0.0", "1.0.0", "latest")),
        published("mail", sent=False, put=("latest",)),
        published("data", sent=False, put=()),
        NotPublished("own", "ghcr.io/org/shop-own", "It has s3cret content.", "Build another."),
        NotPublished("last", "ghcr.io/org/shop-last", "It has s3cret content.", "Build another."),
    ),
    refused=(TagRefused("1", "on 1.1.0, which is newer than 1.0.0"),),
    seconds=61.5,
    notes=(),
)


def printed(manner: Manner, *, terminal: bool = False) -> tuple[str, str]:
    out, err = Stream(terminal=terminal), Stream(terminal=terminal)
    with observing(("web", "mail", "own"), Mask([b"s3cret"]), manner, out, err) as observer:
        observer.sending("web", 500_000, 2_000_000)
        observer.sending("web", 600_000, 2_000_000)
        observer.note("ghcr.io: 503 for the tags; attempt 2 of 5 in 1.0 s")
        for outcome in (REPORT.images[0], REPORT.images[3]):
            observer.service_finished(outcome)
        observer.run_finished(REPORT)
    return out.getvalue(), err.getvalue()


FAILURES = "\nown, last failed\n  It has *** content.\n  Build another.\n"
TABLE = (
    "service  tags                                         digest                  size  second"
    "s  what happened\n"
    "web      ghcr.io/org/shop-web:v1.0.0, 1.0.0, latest   sha256:0123456789ab  12.3 MB      1."
    "2  pushed\n"
    "mail     ghcr.io/org/shop-mail:v1.0.0, 1.0.0, latest  sha256:0123456789ab  12.3 MB      1."
    "2  already there, new tags: latest\n"
    "data     ghcr.io/org/shop-data:v1.0.0, 1.0.0, latest  sha256:0123456789ab  12.3 MB      1."
    "2  already there\n"
    "own      ghcr.io/org/shop-own                         -                          -        "
    "-  failed\n"
    "last     ghcr.io/org/shop-last                        -                          -        "
    "-  failed\n"
    "1.0.0 at ghcr.io/org: 1 pushed, 2 already there, 2 failed in 1 min 02 s\n"
    "1 stays on 1.1.0, which is newer than 1.0.0\n"
)
PROGRESS = (
    "ghcr.io: 503 for the tags; attempt 2 of 5 in 1.0 s\n"
    f"web  | pushed in 1.2 s: {DIGEST}\n"
    "own  | failed: It has *** content.\n"
)


@pytest.mark.usefixtures("no_rich")
def test_the_table_and_what_stayed() -> None:
    assert printed(Manner()) == (TABLE, PROGRESS + FAILURES)


@pytest.mark.usefixtures("no_rich")
def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert printed(Manner(), terminal=True) == (TABLE, PROGRESS + FAILURES)


def test_a_terminal_gets_live_lines_and_keeps_the_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    out, err = printed(Manner(), terminal=True)
    assert out == TABLE
    before, _, after = err.rpartition("\x1b[2K")
    assert after == FAILURES
    assert "\x1b[?25h" in before
    plain = ESCAPE.sub("", before)
    assert plain.count("ghcr.io: 503 for the tags; attempt 2 of 5 in 1.0 s\n") == 1
    assert "0.6 of 2.0 MB  pushed in 1.2 s" in plain
    assert "mail" in plain
    assert " | " not in plain


def test_a_run_that_breaks_off_leaves_the_terminal_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    out, err = Stream(terminal=True), Stream(terminal=True)

    def break_off() -> None:
        with observing(("web", "mail"), Mask(), Manner(), out, err) as observer:
            observer.sending("web", 500_000, 2_000_000)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert "\x1b[?25h" in err.getvalue()
    assert err.getvalue().endswith("\x1b[1A\x1b[2K")
    assert out.getvalue() == ""


def test_how_far_a_service_is_stands_in_a_line_every_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((100.0, 104.9, 105.0, 109.9, 110.0))
    monkeypatch.setattr(plain_publish.time, "monotonic", lambda: next(times))
    err = Stream()
    with observing(("web",), Mask(), Manner(), Stream(), err) as observer:
        for sent in (0, 400_000, 500_000, 900_000, 1_000_000):
            observer.sending("web", sent, 2_000_000)
    assert err.getvalue() == "web | sending 0.5 of 2.0 MB\nweb | sending 1.0 of 2.0 MB\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_secret_shows_nowhere(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    out, err = Stream(terminal=terminal), Stream(terminal=terminal)
    with observing(("own",), Mask([b"s3cret"]), Manner(), out, err) as observer:
        observer.note("401 for s3c\x1b[1mret")
        observer.service_finished(NotPublished("own", "ghcr.io/org/own", "No \x1b[1ms3cret.", None))
    text = err.getvalue()
    assert "401 for ***" in text
    assert "failed: No ***." in text
    assert "s3c" not in text
    assert "\x1b[1m" not in text.replace("\x1b[1mown", "")


@pytest.mark.usefixtures("no_rich")
@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_is_the_result_and_what_went_wrong(terminal: bool) -> None:
    assert printed(Manner(quiet=True), terminal=terminal) == (TABLE, FAILURES)


@pytest.mark.usefixtures("no_rich")
@pytest.mark.parametrize("terminal", [True, False])
def test_json_has_the_notes_too(terminal: bool) -> None:
    out, err = printed(Manner(json=True), terminal=terminal)
    assert err == PROGRESS + FAILURES
    told = json.loads(out)
    assert told["notes"] == ["ghcr.io: 503 for the tags; attempt 2 of 5 in 1.0 s"]
    assert [image["outcome"] for image in told["images"]] == ["published"] * 3 + ["failed"] * 2
    assert "s3cret" not in out


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b[0m", "a\rb"])
def test_nothing_that_a_terminal_obeys(text: str) -> None:
    err = io.StringIO()
    with observing(("web",), Mask(), Manner(), io.StringIO(), err) as observer:
        observer.note(text)
    assert err.getvalue().isprintable() or err.getvalue() in {"red\n", "b\n"}


def test_a_run_that_was_stopped_is_no_failure() -> None:
    images = (REPORT.images[0], Cancelled("own", "ghcr.io/org/shop-own"))
    report = msgspec.structs.replace(REPORT, images=images, refused=())
    out, err = Stream(), Stream()
    with observing(("web", "own"), Mask(), Manner(), out, err) as observer:
        observer.service_finished(images[1])
        observer.run_finished(report)
    assert out.getvalue().splitlines()[2].split()[-1] == "cancelled"
    assert out.getvalue().endswith("1.0.0 at ghcr.io/org: 1 pushed, 1 cancelled in 1 min 02 s\n")
    assert err.getvalue() == "own | cancelled\n"


def test_an_error_that_a_run_breaks_off_with_holds_no_secret() -> None:
    mask, out, err = Mask(), Stream(), Stream()
    with pytest.raises(RegistryError) as caught, observing(("web",), mask, Manner(), out, err):  # noqa: PT012
        mask.learn(b"s3cret")
        raise RegistryError("403 for s3c\x1b[1mret", hint="Not with s3cret.")
    assert str(caught.value) == "403 for ***\nNot with ***."


@pytest.mark.parametrize("secret", ['a"b\\c', "images", "failed", "ä€"])
def test_a_secret_leaves_json_whole(secret: str) -> None:
    images = (NotPublished("own", "ghcr.io/org/shop-own", f"No {secret}.", None),)
    report = msgspec.structs.replace(REPORT, images=images)
    out = Stream()
    with observing(("own",), Mask([secret.encode()]), Manner(json=True), out, Stream()) as observer:
        observer.note(f"again: {secret}")
        observer.run_finished(report)
    told = json.loads(out.getvalue())
    assert told["notes"] == ["again: ***"]
    (image,) = told["images"]
    assert (image["outcome"], image["message"]) == ("failed", "No ***.")
