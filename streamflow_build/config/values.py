"""The values that keys of streamflow.yaml take: texts of a form and numbers of a range.

A type's ``description`` is what an editor shows; ``expected`` completes the sentence "… is not" when a text
doesn't match the type's pattern, and ``hint`` says what to write. Patterns are in the common part of Python's
and ECMAScript's regular expressions, and match the whole text.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta


def _text(pattern: str, expected: str, description: str, *examples: str, hint: str = "") -> Meta:
    if not hint and examples:
        hint = f"Write it like {examples[0]}"
    return Meta(
        pattern=f"^{pattern}$",
        description=description,
        examples=list(examples) or None,
        extra={"expected": expected, "hint": hint},
    )


# https://github.com/distribution/reference: a component of an image's name.
_COMPONENT = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_NAME = "lower-case letters and digits, with single '.', '_' or any '-' between them"
_LINE = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]"
# What COPY of a Dockerfile and .dockerignore take as it stands, without a pattern or a variable in it, and not for a
# flag or a here-document.
_PATH = r"(?!(\./+)*--)[^\x00-\x1f\x7f-\x9f\u2028\u2029*?\[\]$\\\x22\x27!#< ]+"
_HOST = r"([a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])(\.([a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9]))*(:[0-9]{1,5})?"

Line = Annotated[str, _text(rf"{_LINE}*\S{_LINE}*", "one line of text", "One line of text.")]
Description = Annotated[
    str,
    _text(
        rf"{_LINE}*\S{_LINE}*",
        "one line of text",
        "What it is for, in one line; becomes a label of the image.",
    ),
]
ProjectName = Annotated[
    str, _text(_COMPONENT, _NAME, "The project's name, the first part of its images' names.")
]
Url = Annotated[
    str,
    _text(
        r"https?://[^\s\x00-\x1f\x7f@]+",
        "a web address without credentials",
        "Where the sources are published.",
    ),
]
Licenses = Annotated[
    str, _text(rf"{_LINE}*\S{_LINE}*", "an SPDX expression", "The licences, as an SPDX expression.", "MIT")
]
ImagePattern = Annotated[
    str,
    _text(
        rf"{_LINE}*\S{_LINE}*",
        "a pattern of an image's name",
        "The image's name, without registry and tag. Placeholders: {project}, {service}.",
        "{project}-{service}",
    ),
]
TagPattern = Annotated[
    str,
    _text(
        r"[A-Za-z0-9_{][A-Za-z0-9_.{}-]*",
        "a tag: letters, digits, '_', '.' and '-', and placeholders such as {version}",
        "A tag. Placeholders: {tag} (the version as typed), {version}, {major}, {minor}, {patch}.",
        "{version}",
        "latest",
    ),
]
ImageReference = Annotated[
    str, _text(r"\S+", "an image's reference", "An image, as docker pull takes it.", "python:3.11-slim")
]
Name = Annotated[
    str, _text(_COMPONENT, _NAME, "A name: lower-case letters, digits and separators between them.")
]
Known = Annotated[str, Meta(min_length=1, description="A name that stands elsewhere in this file.")]
Host = Annotated[str, _text(_HOST, "a registry's host[:port]", "A registry's host and port.", "docker.io")]
Path = Annotated[
    str,
    _text(
        _PATH,
        "a path that a Dockerfile can name: no spaces, no '--' first and none of * ? [ ] $ \\ \" ' ! # <",
        "A path in the project's folder, relative to it.",
    ),
]
HttpPath = Annotated[
    str,
    _text(r"/[A-Za-z0-9._~/?=&%+:@,;-]*", "a path that starts with '/'", "A path of the service.", "/health"),
]
Module = Annotated[
    str,
    _text(
        r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*",
        "a module's name",
        "The module or package that the container runs, as python -m takes it.",
        "streamflow.ingestion",
    ),
]
Port = Annotated[int, Meta(ge=1, le=65535, description="A TCP port.")]
_SIZE = r"[0-9]{1,9}(\.[0-9]{1,3})? ?(B|kB|KB|MB|GB|KiB|MiB|GiB)"
Size = Annotated[
    str,
    _text(
        _SIZE,
        "a size with its unit",
        "The most the image may hold, unpacked: MB are million bytes, as Docker prints; MiB are 1,048,576.",
        "180MB",
        hint="Write it as 180MB (million bytes, as Docker prints them) or 170MiB.",
    ),
]
MemorySize = Annotated[
    str,
    _text(
        _SIZE,
        "a size with its unit",
        "The most memory: MB are million bytes, MiB are 1,048,576.",
        "512MiB",
        hint="Write it as 512MiB or 500MB.",
    ),
]
Value = Annotated[
    str,
    _text(
        rf"{_LINE}*\S{_LINE}*",
        "one line of text",
        "A variable's value. Placeholders: {SECRET}, and {needed}: host and port of what the service needs.",
        "postgresql://me:{POSTGRES_PASSWORD}@{postgres}/me",
    ),
]
GivenValue = Annotated[
    str,
    _text(
        r"[A-Za-z0-9._~-]+",
        "made of letters, digits, '.', '_', '~' and '-'",
        "A value that may stand in an address as it is.",
        "for-development",
    ),
]
ContainerPath = Annotated[
    str,
    _text(
        r"(/[A-Za-z0-9._@+-]+)+",
        "an absolute path of letters, digits, '.', '_', '@', '+' and '-'",
        "A folder in the container.",
        "/var/lib/postgresql/data",
    ),
]
AptPackage = Annotated[
    str,
    _text(
        r"[a-z0-9][a-z0-9.+-]+",
        "a Debian package's name: lower-case letters, digits, '.', '+' and '-'",
        "A Debian package.",
        "build-essential",
    ),
]
UserName = Annotated[
    str,
    _text(
        r"[a-z_][a-z0-9_-]{0,31}",
        "a user's name: at most 32 lower-case letters, digits, '_' and '-', with no digit first",
        "The user's name.",
    ),
]
SecretId = Annotated[
    str,
    _text(
        r"[A-Za-z0-9][A-Za-z0-9._-]*",
        "a secret's id: letters, digits, '.', '_' and '-'",
        "The secret's name; a build step reads it at /run/secrets/<id>.",
    ),
]
Variable = Annotated[
    str,
    _text(
        r"[A-Za-z_][A-Za-z0-9_]*",
        "the name of an environment variable: letters, digits and '_', with no digit first",
        "An environment variable.",
    ),
]
SecretFile = Annotated[
    str,
    _text(
        rf"{_LINE}*\S{_LINE}*",
        "a file's path",
        "A file's path: absolute, from the home folder as ~/…, or relative to the project's.",
    ),
]
Distribution = Annotated[
    str,
    _text(
        r"([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9])",
        "a distribution's name: letters, digits, '.', '_' and '-'",
        "The distribution's name, as pip takes it.",
    ),
]
IgnorePattern = Annotated[
    str,
    _text(
        r"[^\s!#\x00-\x1f\x7f][^\x00-\x1f\x7f]*",
        "a pattern of .dockerignore that leaves files out (no '!' or '#' first)",
        "A pattern of .dockerignore: files never sent to a build.",
        "**/*.orig",
    ),
]
