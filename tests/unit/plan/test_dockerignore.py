from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, reject
from hypothesis import strategies as st

from streamflow_build.errors import ConfigError
from streamflow_build.plan.dockerignore import DockerIgnore, _well_formed, ends, parts


def excluded(rules: str, path: str) -> bool:
    """Whether a walk from the root leaves the path out."""
    ignore = DockerIgnore(rules)
    parts = path.split("/")
    out, above = False, None
    for depth in range(1, len(parts) + 1):
        out, above = ignore.excludes("/".join(parts[:depth]), above)
    return out


@pytest.mark.parametrize(
    ("rules", "left_out", "kept"),
    [
        ("", [], ["a", "a/b"]),
        ("a", ["a", "a/b", "a/b/c"], ["b/a", "ab"]),
        ("/a", ["a", "a/b"], ["b/a"]),
        ("a/", ["a", "a/b"], ["b"]),
        ("./a/../b", ["b"], ["a"]),
        ("  a  ", ["a"], ["b"]),
        ("# a\na#b", ["a#b"], ["a", "# a"]),
        ("\ufeffa", ["a"], ["b"]),
        ("a\r\nb\r\n", ["a", "b"], ["c"]),
        ("*.py", ["x.py", ".py"], ["x.pyc", "d/x.py"]),
        ("*/x", ["d/x", "d/x/y"], ["x", "d/e/x"]),
        ("?.py", ["x.py"], ["xy.py", "d/x.py"]),
        ("[a-c].py", ["b.py"], ["d.py"]),
        ("[^a-c].py", ["d.py"], ["b.py"]),
        ("**/x", ["x", "d/x", "d/e/x", "d/x/y"], ["xx", "d/xx"]),
        ("**/*.py[cod]", ["x.pyc", "d/e/x.pyo"], ["x.py"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b"]),
        ("a/**/c", ["a/c", "a/b/c", "a/b/b/c"], ["a/b", "c"]),
        ("**", ["a", "a/b"], []),
        ("*\n!a", ["b", "b/c"], ["a", "a/b"]),
        ("*\n!a/b", ["a", "a/c"], ["a/b", "a/b/c"]),
        ("*\n! a", ["b"], ["a"]),
        ("*\n!/a", ["b"], ["a"]),
        ("*\n!a\na/x", ["b", "a/x"], ["a", "a/y"]),
        ("!a\n*", ["a", "a/b"], []),
        ("a\n!a/b\na/b/c", ["a", "a/b/c"], ["a/b", "a/b/d"]),
        ("*\n!d\n**/__pycache__", ["d/__pycache__", "d/e/__pycache__/x"], ["d/x"]),
        ("**/x\n!a", ["x", "a/x"], ["a"]),
        ("a.b", ["a.b"], ["axb"]),
        (r"a\*b", ["a*b"], ["axb"]),
        ("a (1)", ["a (1)"], ["a 1"]),
        ("x[[:alpha:]]*y", ["xay", "xabcy"], ["x1y", "xy", "x:y"]),
        ("x[_[:digit:]]", ["x1", "x_"], ["xa", "x["]),
        ("x[[a&&b~~]", ["x[", "x&", "xb", "x~"], ["xc"]),
        ("[[:]", ["[", ":"], ["a"]),
        ("\n\n  \na", ["a"], ["b"]),
    ],
)
def test_patterns(rules: str, left_out: list[str], kept: list[str]) -> None:
    assert {path: excluded(rules, path) for path in [*left_out, *kept]} == {
        **dict.fromkeys(left_out, True),
        **dict.fromkeys(kept, False),
    }


@pytest.mark.parametrize("pattern", ["!", "[", "a[", "[]a]", "[^]", "[^]a]", "a\\"])
def test_what_docker_refuses_is_refused_with_its_line(pattern: str) -> None:
    with pytest.raises(ConfigError) as error:
        DockerIgnore(f"# comment\n{pattern}\n")
    assert str(error.value) == f".dockerignore:2: {pattern!r} is no pattern that Docker takes."


WORDS = [
    "*",
    "**",
    "**/",
    "/",
    "?",
    "a",
    "b",
    ".",
    "[^a]",
    "[ab]",
    "[[:alpha:]]",
    "[",
    "]",
    "^",
    "\\",
    "[*a]",
]


@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map("".join),
    st.lists(st.text("ab/[]^.\n", max_size=7), min_size=1, max_size=9),
)
def test_a_path_matches_by_parts_as_it_does_by_the_whole_expression(glob: str, paths: list[str]) -> None:
    assume(_well_formed(glob))
    pattern = tuple(parts(glob))
    try:
        expression = re.compile("".join(part.text for part in pattern))
    except re.error:
        reject()
    for path in paths:
        assert (len(path) in ends(pattern, path)) == (expression.fullmatch(path) is not None)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("**/*a*a*a*a*a*a*a*b", "a" * 250),
        ("**/*[^b]*[^b]*[^b]*[^b]*[^b]z", "a" * 250),
        ("**/a/**/a/**/a/**/a/**/a/**/b", "a/" * 1000 + "c"),
        (r"\[*[*[*[*[*[*b]", "[" * 250),
    ],
)
@pytest.mark.filterwarnings("ignore:Possible nested set:FutureWarning")
def test_many_wildcards_take_no_longer_than_a_look(pattern: str, path: str) -> None:
    assert DockerIgnore(pattern).excludes(path, None)[0] is False
