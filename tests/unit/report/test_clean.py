from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest

from streamflow_build.engine.interface import BuildEvent, BuildWarning, StepFinished, StepOutput, StepStarted
from streamflow_build.images.observer import RunObserver
from streamflow_build.model.report import ImagesReport, Outcome
from streamflow_build.report.clean import Cleaned, Mask
from streamflow_build.report.text import harmless


class Recorder(RunObserver):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def base_pull(self, base: str, layer: str, current: int, total: int) -> None:
        self.told.append((base, layer, current, total))

    def service_started(self, service: str, reason: str) -> None:
        self.told.append((service, reason))

    def event(self, service: str, event: BuildEvent) -> None:
        self.told.append((service, event))

    def service_finished(self, outcome: Outcome) -> None:
        self.told.append(outcome)

    def note(self, text: str) -> None:
        self.told.append(text)

    def run_finished(self, report: ImagesReport) -> None:
        self.told.append(report)


@pytest.mark.parametrize(
    ("secret", "text", "shown"),
    [
        pytest.param(b"s3cret", "token s3cret, again s3cret", "token ***, again ***", id="everywhere"),
        pytest.param(b"s3cret\n", "token s3cret.", "token ***.", id="without its line end"),
        pytest.param(b"first line\n\nab\nsecond line\n", "a second line, ab", "a ***, ab", id="by line"),
        pytest.param(
            b"p@ss/word", "https://u:p%40ss%2Fword@host", "https://u:***@host", id="percent-encoded"
        ),
        pytest.param(b"x", "x and y", "*** and y", id="however short"),
        pytest.param(b"", "nothing", "nothing", id="empty"),
        pytest.param(b"\xff\xfe12", "text", "text", id="bytes"),
        pytest.param(
            b"[global]\nindex-url = https://me:hush@host/simple\n", "hush!", "***!", id="password in it"
        ),
        pytest.param(b"unrelated", "https://me:p@ss-w@host/a", "https://me:***@host/a", id="not quoted"),
        pytest.param(
            b"unrelated",
            '{"a":"https://me:pw@b","c":"d@e"}',
            '{"a":"https://me:***@b","c":"d@e"}',
            id="in JSON",
        ),
        pytest.param(b"unrelated", "from https://me:pw@host/a", "from https://me:***@host/a", id="any URL"),
        pytest.param(
            b"unrelated", "https://host:8080/a@b", "https://host:8080/a@b", id="a port is no password"
        ),
    ],
)
def test_mask(secret: bytes, text: str, shown: str) -> None:
    assert Mask([secret])(text) == shown


def test_what_is_learned_is_masked_from_then_on() -> None:
    mask = Mask([b"abcdef"])
    mask.learn(b"abc")
    assert mask("abcdef abc") == "*** ***"


def test_a_secret_that_holds_another() -> None:
    assert Mask([b"abc", b"abcdef"])("abcdef abc") == "*** ***"


@pytest.mark.parametrize(
    "secret", ["s3\tcret", "s3\x07cret", "s3\x0bc", "s3\x1b[31mcret", "s3\u200bcret", "s3\rcret"]
)
def test_a_secret_that_is_not_harmless_is_masked(secret: str) -> None:
    recorder = Recorder()
    Cleaned(recorder, Mask([f"{secret}\n".encode()])).note(f"token {secret}!")
    Cleaned(recorder, Mask([secret.encode()])).note(f"token {harmless(secret)}!")
    assert recorder.told == ["token ***!", "token ***!"]


def test_a_secret_with_something_invisible_in_it_is_masked() -> None:
    recorder = Recorder()
    Cleaned(recorder, Mask([b"s3cret"])).note("token s3\x1b[0mcret!")
    assert recorder.told == ["token ***!"]


def test_everything_told_is_cleaned(sample: SimpleNamespace) -> None:
    recorder = Recorder()
    observer = Cleaned(recorder, Mask([b"hush"]))
    dirty = "hush\x1b[31m!"
    observer.base_pull("python", dirty, 1, 2)
    observer.service_started("ingestion", dirty)
    observer.event("ingestion", StepStarted("d1", dirty, 1, 2))
    observer.event("ingestion", StepOutput("d1", dirty))
    observer.event("ingestion", StepFinished("d1", dirty, cached=False, seconds=1.0, error=dirty))
    observer.event("ingestion", BuildWarning(dirty, 3))
    observer.service_finished(sample.failed(message=dirty, output=(dirty,), hint=dirty))
    observer.note(dirty)
    observer.run_finished(sample.report(sample.built(reason=dirty), notes=(dirty,)))

    assert recorder.told == [
        ("python", "***!", 1, 2),
        ("ingestion", "***!"),
        ("ingestion", StepStarted("d1", "***!", 1, 2)),
        ("ingestion", StepOutput("d1", "***!")),
        ("ingestion", StepFinished("d1", "***!", cached=False, seconds=1.0, error="***!")),
        ("ingestion", BuildWarning("***!", 3)),
        sample.failed(message="***!", output=("***!",), hint="***!"),
        "***!",
        sample.report(sample.built(reason="***!"), notes=("***!",)),
    ]


def test_a_clean_report_stays_as_it_is(every_fate: ImagesReport) -> None:
    recorder = Recorder()
    Cleaned(recorder, Mask([b"classic", b"built"])).run_finished(
        msgspec.structs.replace(every_fate, images=())
    )
    Cleaned(recorder, Mask()).run_finished(every_fate)
    assert recorder.told == [msgspec.structs.replace(every_fate, images=()), every_fate]
