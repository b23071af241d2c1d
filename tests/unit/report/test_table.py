from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from streamflow_build.model.report import BaseUsed, ImagesReport, Size
from streamflow_build.report.failures import failures
from streamflow_build.report.table import remarks, table
from streamflow_build.report.terminal import terminal_table

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def test_table_and_remarks(every_fate: ImagesReport, golden: Callable[[str, str], None]) -> None:
    golden("table.txt", table(every_fate) + remarks(every_fate))


@pytest.mark.parametrize("width", [40, 80, 120])
def test_terminal_table(
    width: int,
    every_fate: ImagesReport,
    golden: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    text = terminal_table(every_fate, width)
    assert "\x1b[32m" in text
    bare = COLOURS.sub("", text)
    assert max(map(len, bare.splitlines())) <= width
    golden(f"terminal_{width}.txt", "".join(f"{line.rstrip()}\n" for line in bare.splitlines()))


def test_no_color(every_fate: ImagesReport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", terminal_table(every_fate, 120))


def test_markup_in_a_cell_is_text(sample: SimpleNamespace) -> None:
    report = sample.report(sample.built(reason="changed: [red]x[/red] :smile:", tags=("[bold]:1",)))
    assert "[red]x[/red] :smile:" in terminal_table(report, 200)
    assert "[bold]:1" in terminal_table(report, 80)


def test_a_stand_in_base(sample: SimpleNamespace, golden: Callable[[str, str], None]) -> None:
    base = BaseUsed("python", "python:3.11-slim", "sha256:ba5e", None, stand_in=True, size=124_000_000)
    inside = Size(200_000_000, 180_000_000, 214_000_000, False, ())
    beyond = Size(215_000_000, 200_000_000, 214_000_000, True, ())
    report = sample.report(
        sample.built(size=inside), sample.built("analytics", size=beyond), bases=(base,), version=None
    )
    golden("stand_in.txt", table(report) + remarks(report))


def test_failures(every_fate: ImagesReport, golden: Callable[[str, str], None]) -> None:
    golden("failures.txt", failures(every_fate))


def test_a_step_that_fails_for_several_images_is_shown_once(
    sample: SimpleNamespace, golden: Callable[[str, str], None]
) -> None:
    output = tuple(f"line {number}" for number in range(1, 31))
    report = sample.report(
        sample.failed("ingestion", output=output[20:]),
        sample.failed("analytics", output=output, hint="Is the requirement's name right?"),
        sample.failed(
            "storage", message="no space left on device", step=None, dockerfile_line=None, output=(), log=None
        ),
    )
    golden("failures_shared.txt", failures(report))


def test_nothing_failed(sample: SimpleNamespace) -> None:
    assert failures(sample.report(sample.built())) == ""
    assert remarks(sample.report(bases=())) == (
        "no image in 41.2 s (Docker Engine 28.5.2, classic image store)\n"
    )
