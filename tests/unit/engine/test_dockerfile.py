from __future__ import annotations

import pytest

from streamflow_build.engine.dockerfile import instructions, line_of, line_of_base

DOCKERFILE = """\
# syntax is not named here
ARG BASE=python:3.11-slim

FROM ${BASE} AS common
RUN echo one \\
    # a comment between
    && echo two \\

    && echo three
COPY <<EOF /etc/motd
FROM nowhere
EOF
WORKDIR /app

FROM common AS Added
run echo $((1<<2)) \\
  && echo lower
FROM alpine
COPY --from=common /opt /opt
COPY --from=busybox:1 /bin /bin
ENV A=b
RUN last
"""


def test_instructions_know_their_lines() -> None:
    assert [(i.keyword, i.line) for i in instructions(DOCKERFILE)] == [
        ("ARG", 2),
        ("FROM", 4),
        ("RUN", 5),
        ("COPY", 10),
        ("WORKDIR", 13),
        ("FROM", 15),
        ("RUN", 16),
        ("FROM", 18),
        ("COPY", 19),
        ("COPY", 20),
        ("ENV", 21),
        ("RUN", 22),
    ]


@pytest.mark.parametrize(
    ("stage", "number", "line"),
    [
        ("common", 1, 4),
        ("common", 2, 5),
        ("common", 3, 10),
        ("common", 4, 13),
        ("added", 1, 16),
        ("stage-2", 4, 22),
    ],
)
def test_a_step_is_found_by_buildkits_count(stage: str, number: int, line: int) -> None:
    assert line_of(DOCKERFILE, stage, number) == line


def test_a_step_of_the_only_stage_has_no_stage_name() -> None:
    assert line_of("FROM a AS b\nRUN one\nRUN two\n", None, 3) == 3
    assert line_of("FROM a\n", None, 7) is None
    assert line_of("FROM scratch\nCOPY a b\n", None, 1) == 2


def test_a_base_is_found_where_it_is_named() -> None:
    assert line_of_base(DOCKERFILE, "alpine") == 18
    assert line_of_base(DOCKERFILE, "busybox:1") == 20
    assert line_of_base(DOCKERFILE, "debian") is None
