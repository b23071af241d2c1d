"""What a .dockerignore file keeps out of a build context, exactly as Docker does it.

The rules are those of moby/patternmatcher, as BuildKit applies them while it walks a folder: a pattern that
matched a folder holds for all below it, later patterns win, and one that could change nothing where the
folder stood is not remembered for what is below.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from streamflow_build.errors import ConfigError

Matched = tuple[bool, ...]
"""Which patterns a folder matched, one for each."""

_FEW = 2
"""With how many wildcards Python's own matching is quick: it tries all ways to divide a path among them."""

_ESCAPED = frozenset(".+()|{}$")
_ESCAPED_IN_CLASS = _ESCAPED | frozenset("[&~")
_NAMED_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r"\t ",
    "digit": "0-9",
    "lower": "a-z",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_NAMED_CLASS = re.compile(rf"\[:({'|'.join(_NAMED_CLASSES)}):\]")
_SPECIAL = re.compile(r"[*?\[\]\\]")
_WELL_FORMED = re.compile(r"(?:\\.|[^\\\[]|\[\^?+(?:\\.|[^\\\]-])(?:\\.|[^\\\]])*\])*", re.DOTALL)


class _Pattern(NamedTuple):
    """A line of the file: what it matches, and whether it keeps files (``!``) instead of leaving them out."""

    matches: Callable[[str], bool]
    exception: bool


class DockerIgnore:
    """The patterns of one .dockerignore file."""

    def __init__(self, text: str, name: str = ".dockerignore") -> None:
        """Read the file's text; raises ConfigError, naming the line, for a pattern that Docker refuses."""
        self._patterns = tuple(_patterns(text, name))

    @property
    def exceptions(self) -> bool:
        """Whether any pattern may keep a file of a folder that is left out."""
        return any(pattern.exception for pattern in self._patterns)

    def excludes(self, path: str, above: Matched | None) -> tuple[bool, Matched]:
        """Whether a path is left out, and what to give for the paths below it.

        ``above`` is what this function gave for the path's folder; None for a path in the context's root.
        """
        excluded = False
        matched = []
        for number, pattern in enumerate(self._patterns):
            match = above is not None and above[number]
            if not match and pattern.exception == excluded:
                match = pattern.matches(path)
            matched.append(match)
            if match:
                excluded = not pattern.exception
        return excluded, tuple(matched)


def _patterns(text: str, name: str) -> list[_Pattern]:
    patterns = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        stripped = line.strip()
        if line.startswith("#") or not stripped:
            continue
        exception = stripped.startswith("!")
        glob = _cleaned(stripped.removeprefix("!").strip())
        if not glob or not _well_formed(glob):
            raise ConfigError(f"{name}:{number}: {stripped!r} is no pattern that Docker takes.")
        try:
            patterns.append(_Pattern(_matcher(glob), exception))
        except re.error as error:
            raise ConfigError(
                f"{name}:{number}: {stripped!r} is no pattern that Docker takes: {error}."
            ) from error
    return patterns


def _cleaned(glob: str) -> str:
    """Go's filepath.Clean, relative to the context's root."""
    if not glob:
        return ""
    clean = posixpath.normpath(re.sub("/+", "/", glob))
    return clean[1:] if clean.startswith("/") and clean != "/" else clean


def _well_formed(glob: str) -> bool:
    """Whether Go's filepath.Match takes it: escapes escape something, classes are closed and not empty."""
    return _WELL_FORMED.fullmatch(glob) is not None


def _matcher(glob: str) -> Callable[[str], bool]:
    """Docker tells four kinds of patterns apart, and they don't treat ``**`` alike."""
    if not _SPECIAL.search(glob):
        return lambda path: path == glob
    rest = glob.removeprefix("**")
    if rest != glob and not _SPECIAL.search(rest):
        return lambda path: path.endswith(rest) or (rest.startswith("/") and path == rest[1:])
    prefix = glob.removesuffix("**")
    if prefix != glob and not _SPECIAL.search(prefix):
        return lambda path: path.startswith(prefix)
    pattern = tuple(parts(glob))
    whole = re.compile("".join(part.text for part in pattern) + r"\Z")
    if sum(part.kind != "fixed" for part in pattern) <= _FEW:
        return lambda path: whole.match(path) is not None
    return lambda path: len(path) in ends(pattern, path)


class Part(NamedTuple):
    """A part of the regular expression that Docker makes of a pattern, and how it may be repeated.

    ``fixed`` parts have one length, a ``run`` is a character any number of times, and ``folders`` are none or all
    up to a slash.
    """

    kind: Literal["fixed", "run", "folders"]
    text: str

    def ends(self, path: str, starts: set[int]) -> set[int]:
        """Where the part may end in a path, of all places where it may start."""
        if self.kind == "fixed":
            fixed = re.compile(self.text)
            return {found.end() for start in starts if (found := fixed.match(path, start))}
        run = re.compile(".*" if self.kind == "folders" else self.text)
        reached: set[int] = set()
        for start in sorted(starts):
            if start not in reached and (found := run.match(path, start)):
                reached.update(range(start, found.end() + 1))
        return starts | {end for end in reached if self.kind == "run" or path[end - 1 : end] == "/"}


def ends(pattern: tuple[Part, ...], path: str) -> set[int]:
    """Where in a path a match may end.

    As with Go's matching, the time doesn't grow with the number of ways to divide the path among wildcards.
    """
    reached = {0}
    for part in pattern:
        reached = part.ends(path, reached)
    return reached


def parts(glob: str) -> Iterator[Part]:
    """The parts of the regular expression that Docker makes of a pattern."""
    text = ""
    position = 0
    # Docker doesn't look whether a wildcard stands in a class, so that `[^/]` ends the one that is open.
    in_class, opened = False, -1
    while position < len(glob):
        character = glob[position]
        position += 1
        if glob.startswith("**", position - 1):
            position += 2 if glob.startswith("/", position + 1) else 1
            wild = Part("folders", "(.*/)?") if position < len(glob) else Part("run", ".*")
            if opened >= 0:
                text += wild.text
            else:
                yield from (Part("fixed", text), wild)
                text = ""
        elif character == "*":
            start = opened if opened >= 0 else len(text)
            yield from (Part("fixed", text[:start]), Part("run", f"{text[start:]}[^/]*"))
            text, opened = "", -1
        elif character == "?":
            text += "[^/]"
            opened = -1
        elif character == "\\":
            text += re.escape(glob[position])
            position += 1
        elif in_class and (named := _NAMED_CLASS.match(glob, position - 1)):
            text += _NAMED_CLASSES[named[1]]
            position = named.end()
        else:
            escaped = character in (_ESCAPED_IN_CLASS if in_class else _ESCAPED)
            if not in_class and character == "[":
                in_class, opened = True, len(text)
            elif in_class and character == "]":
                in_class, opened = False, -1
            text += f"\\{character}" if escaped else character
    yield Part("fixed", text)
