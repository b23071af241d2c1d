"""Where a Dockerfile's instructions stand: as much of its grammar as it takes to find the line of a step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

NUMBERED = frozenset({"FROM", "RUN", "COPY", "ADD", "WORKDIR"})
"""The instructions which BuildKit counts as steps of a stage, such as ``[common 2/3]``."""

_HEREDOC = re.compile(r"(?<!\S)\d*<<-?([\"']?)([A-Za-z_]\w*)\1")
_STAGE_NAME = re.compile(r"\bAS\s+(\S+)\s*$", re.IGNORECASE)


class Instruction(NamedTuple):
    """An instruction: keyword in capitals, whole text on one line, and the line it begins on (1-based)."""

    keyword: str
    text: str
    line: int


def instructions(dockerfile: str) -> Iterator[Instruction]:
    """All instructions, in order; continued lines and here-documents belong to the one they are in."""
    lines = iter(enumerate(dockerfile.splitlines(), start=1))
    for number, line in lines:
        if _ignored(line):
            continue
        text = _whole(line, lines)
        for _, terminator in _HEREDOC.findall(text):
            next((n for n, inner in lines if inner.strip() == terminator), None)
        yield Instruction(text.split(maxsplit=1)[0].upper(), text, number)


def line_of(dockerfile: str, stage: str | None, number: int) -> int | None:
    """The line of a stage's step, by BuildKit's count; ``stage`` is None where the Dockerfile has one only.

    A FROM that names an image is the first step of its stage; one that names an earlier stage or ``scratch``
    is none (BuildKit, frontend/dockerfile/dockerfile2llb/convert.go).
    """
    stages: list[str] = []
    counted = 0
    for instruction in instructions(dockerfile):
        step = instruction.keyword in NUMBERED
        if instruction.keyword == "FROM":
            words = [word for word in instruction.text.lower().split() if not word.startswith("--")]
            counted, step = 0, not {"scratch", *stages}.intersection(words[1:2])
            named = _STAGE_NAME.search(instruction.text)
            stages.append(named[1].lower() if named else f"stage-{len(stages)}")
        counted += step
        if step and counted == number and stages and stage in {None, stages[-1]}:
            return instruction.line
    return None


def line_of_base(dockerfile: str, reference: str) -> int | None:
    """The line of the first FROM or COPY --from that names an image."""
    for instruction in instructions(dockerfile):
        if instruction.keyword in {"FROM", "COPY"} and reference in re.split(r"[\s=]", instruction.text):
            return instruction.line
    return None


def _whole(first: str, following: Iterator[tuple[int, str]]) -> str:
    """An instruction with the lines that continue it; comments and empty lines between them don't end it."""
    parts = [first.strip()]
    while parts[-1].endswith("\\"):
        parts[-1] = parts[-1][:-1].rstrip()
        parts.append(next((line.strip() for _, line in following if not _ignored(line)), ""))
    return " ".join(parts)


def _ignored(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")
