from __future__ import annotations

import pytest

from streamflow_build.report.text import duration, harmless, is_internal, label_and_what, megabytes, shorten


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        pytest.param("plain — text", "plain — text", id="nothing to do"),
        pytest.param("\x1b[1;31merror\x1b[0m: no", "error: no", id="colours"),
        pytest.param("\x1b[2J\x1b[Hgone\x1b[?25l", "gone", id="cursor and screen"),
        pytest.param("\x1b]0;title\x07text", "text", id="window title"),
        pytest.param("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link", id="link"),
        pytest.param("\x9b31mred\x1bc", "red", id="one-character CSI, reset"),
        pytest.param("a\x00b\x07c\x08d\x7f", "abcd", id="control characters"),
        pytest.param("10%\r50%\r100%", "100%", id="progress written over"),
        pytest.param("done\r", "done", id="carriage return at the end"),
        pytest.param("a\tb", "a       b", id="tab"),
        pytest.param("exe\u202egpj.\u200bx", "exegpj.x", id="direction and width tricks"),
        pytest.param("a\u00a0b", "a b", id="other spaces"),
        pytest.param("one\ntwo\x1b[0m", "one\ntwo", id="lines stay"),
        pytest.param("\x1b[31", "31", id="cut off"),
        pytest.param("\udcff", "", id="a stray surrogate"),
        pytest.param("[bold]x[/bold]", "[bold]x[/bold]", id="markup is text"),
    ],
)
def test_harmless(foreign: str, shown: str) -> None:
    assert harmless(foreign) == shown


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("[common 2/3] RUN uv pip install", ("common 2/3", "RUN uv pip install")),
        (
            "[common 2/3] RUN --mount=type=cache,target=/c --network=none uv --quiet pip",
            ("common 2/3", "RUN uv --quiet pip"),
        ),
        ("[stage-3  4/10] COPY --from=common --chown=1:1 /a /b", ("stage-3 4/10", "COPY /a /b")),
        ("exporting to image", ("", "exporting to image")),
        ("[added 2/2] RUN uv --version", ("added 2/2", "RUN uv --version")),
    ],
)
def test_label_and_what(step: str, expected: tuple[str, str]) -> None:
    assert label_and_what(step) == expected


def test_internal_steps() -> None:
    assert is_internal("[internal] load build context")
    assert is_internal("[auth] library/python:pull token for registry-1.docker.io")
    assert not is_internal("[common 2/3] RUN x")


@pytest.mark.parametrize(
    ("width", "shown"), [(20, "one two three"), (8, "one two…"), (5, "one…"), (1, "…"), (0, "…")]
)
def test_shorten(width: int, shown: str) -> None:
    assert shorten("one  two\n three", width) == shown


def test_amounts() -> None:
    assert megabytes(143_250_000) == "143.2"
    assert [duration(s) for s in (0.0, 3.14, 59.94, 60.0, 125.4)] == [
        "0.0 s",
        "3.1 s",
        "59.9 s",
        "1 min 00 s",
        "2 min 05 s",
    ]
