"""What a run of ``push`` prints."""

from __future__ import annotations

import io
import json

import pytest

from streamflow_build.model.release import NotPublished, Published, PublishReport, TagRefused
from streamflow_build.report.publish import observing
from streamflow_build.report.run import Manner

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


def printed(manner: Manner) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    observer = observing(("web", "mail"), ["s3cret"], manner, out, err)
    observer.sending("web", 500_000, 2_000_000)
    observer.sending("web", 600_000, 2_000_000)
    observer.note("ghcr.io: 503 for the tags; attempt 2 of 5 in 1.0 s")
    for outcome in (REPORT.images[0], REPORT.images[3]):
        observer.service_finished(outcome)
    observer.run_finished(REPORT)
    return out.getvalue(), err.getvalue()


FAILURES = "\nown, last failed\n  It has *** content.\n  Build another.\n"


def test_the_table_and_what_stayed() -> None:
    out, err = printed(Manner())
    assert out == (
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
    assert err == (
        "web  | sending 0.5 of 2.0 MB\n"
        "ghcr.io: 503 for the tags; attempt 2 of 5 in 1.0 s\n"
        f"web  | pushed in 1.2 s: {DIGEST}\n"
        "own  | failed: It has *** content.\n" + FAILURES
    )


def test_quiet_is_the_result_and_what_went_wrong() -> None:
    _, err = printed(Manner(quiet=True))
    assert err == FAILURES


def test_json_has_the_notes_too() -> None:
    out, _ = printed(Manner(json=True))
    told = json.loads(out)
    assert told["notes"] == ["ghcr.io: 503 for the tags; attempt 2 of 5 in 1.0 s"]
    assert [image["outcome"] for image in told["images"]] == ["published"] * 3 + ["failed"] * 2
    assert "s3cret" not in out


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b[0m", "a\rb"])
def test_nothing_that_a_terminal_obeys(text: str) -> None:
    err = io.StringIO()
    observing(("web",), [], Manner(), io.StringIO(), err).note(text)
    assert err.getvalue().isprintable() or err.getvalue() in {"red\n", "b\n"}
