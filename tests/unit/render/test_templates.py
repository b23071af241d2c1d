"""A project's own templates, and what is said of one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow_build.config import load
from streamflow_build.errors import ConfigError
from streamflow_build.render.artefacts import artefacts
from streamflow_build.render.templates import Templates, quoted


def refusal(root: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        artefacts(load(root / "streamflow.yaml"))
    assert caught.value.exit_code == 2
    return str(caught.value)


def write(root: Path, text: str | bytes, name: str = "docker/Dockerfile.j2") -> None:
    path = root / "templates" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def test_a_projects_own_template_counts(mixed: Path) -> None:
    write(mixed, "{{ header }}\n{{ service.name }}\n")
    texts = {artefact.path: artefact.text for artefact in artefacts(load(mixed / "streamflow.yaml"))}
    assert texts["docker/web/Dockerfile"].endswith("edits are lost.\nweb\n")
    assert texts[".dockerignore"] == (mixed / ".dockerignore").read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one\n{{ colour }}\n", "2: 'colour' is undefined"),
        (
            "one\n\n{{ service.colour }}\n",
            "3: 'streamflow_build.model.project.Service object' has no attribute 'colour'",
        ),
        ("{% for s in services %}{% endfor %}", "1: 'services' is undefined"),
        ("one\n{% if %}\n", "2: Expected an expression, got 'end of statement block'"),
        ("one\n{{ service.name | upside_down }}\n", "2: No filter named 'upside_down'"),
        ("one\n{{ service.name + 1 }}\n", '2: can only concatenate str (not "int") to str'),
        ("one\n{{ 1 / 0 }}\n", "2: division by zero"),
        (b"\xff", " it is not UTF-8 text"),
        ("one\n{{ cycler() }}\n", "2: at least one item has to be provided"),
        ('one\n{{ "a" * 10**14 }}\n', "2: it makes more text than the memory holds"),
        (
            "{% for a in [1] %}" * 30 + "{% endfor %}" * 30,
            " it is nested too deeply: too many statically nested blocks",
        ),
        (
            "{% if 1 %}" * 150 + "{% endif %}" * 150,
            " it is nested too deeply: too many levels of indentation",
        ),
        ('one\n{{ "\\ud800" }}\n', " it makes '\\ud800', which no file can hold"),
        (
            "{% macro a() %}{{ a() }}{% endmacro %}\n{{ a() }}",
            "1: its calls or brackets are nested too deeply",
        ),
    ],
    ids=range(14),
)
def test_wrong(mixed: Path, text: str | bytes, said: str) -> None:
    write(mixed, text)
    assert refusal(mixed) == f"templates/docker/Dockerfile.j2:{said}.\nFix the template."


def test_the_line_is_that_of_the_template_that_is_wrong(mixed: Path) -> None:
    write(mixed, "{% include 'inner.j2' %}\n")
    write(mixed, "fine\nfine\n{{ colour }}\n", "inner.j2")
    assert refusal(mixed) == "templates/inner.j2:3: 'colour' is undefined.\nFix the template."


def test_an_included_template_that_is_no_text_is_named_itself(mixed: Path) -> None:
    write(mixed, "{% include 'inner.j2' %}\n")
    write(mixed, b"\xff", "inner.j2")
    assert refusal(mixed) == "templates/inner.j2: it is not UTF-8 text.\nFix the template."


def test_a_template_that_is_not_there(mixed: Path) -> None:
    write(mixed, "{% include 'inner.j2' %}\n")
    assert refusal(mixed) == (
        "There is no template 'inner.j2' in the project's templates/, nor in the tool's.\n"
        "Install the tool again, or put the template there."
    )


def test_exec_form(tmp_path: Path) -> None:
    write(tmp_path, '{{ ["a", "b\'\\"<é"] | json }}', "x.j2")
    assert Templates(tmp_path).render("x.j2") == '["a", "b\'\\"<é"]'


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_a_quoted_word_has_nothing_to_replace(text: str) -> None:
    word = quoted(text)
    assert (word[0], word[-1]) == ('"', '"')
    plain, characters = "", iter(word[1:-1])
    for character in characters:
        assert character not in '"$'
        plain += next(characters) if character == "\\" else character
    assert plain == text
