"""The shape of streamflow.yaml: its keys, their types and limits, and what each means.

The JSON Schema is made from these types and the loader walks them, so that editors and the tool agree. A
type's ``description`` is what an editor shows; ``expected`` completes the sentence "… is not" when a text
doesn't match the type's pattern. Patterns are in the common part of Python's and ECMAScript's regular
expressions, and match the whole text.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType


def _text(pattern: str, expected: str, description: str, *examples: str, hint: str = "") -> Meta:
    if not hint and examples:
        hint = f"Write it like {examples[0]}"
    return Meta(
        pattern=f"^{pattern}$",
        description=description,
        examples=list(examples) or None,
        extra={"expected": expected, "hint": hint},
    )


def about(description: str) -> Meta:
    """The meaning of a key whose type says nothing of it."""
    return Meta(description=description)


# https://github.com/distribution/reference: a component of an image's name.
_COMPONENT = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_NAME = "lower-case letters and digits, with single '.', '_' or any '-' between them"
_LINE = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]"
# What COPY of a Dockerfile and .dockerignore take as it stands, without a pattern or a variable in it.
_PATH = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029*?\[\]$\\\x22!# ]+"
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
        'a path that a Dockerfile can name: no spaces and none of * ? [ ] $ \\ " ! #',
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
Size = Annotated[
    str,
    _text(
        r"[0-9]{1,9}(\.[0-9]{1,3})? ?(B|kB|KB|MB|GB|KiB|MiB|GiB)",
        "a size with its unit",
        "The most the image may hold, unpacked: MB are million bytes, as Docker prints; MiB are 1,048,576.",
        "180MB",
        hint="Write it as 180MB (million bytes, as Docker prints them) or 170MiB.",
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
    str, _text(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable", "An environment variable.")
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


class _Shape(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    pass


class User(_Shape, frozen=True):
    """The user a container runs as."""

    name: UserName
    uid: Annotated[
        int,
        Meta(
            ge=1,
            le=2147483647,
            description="The user's number, and its group's. Never 0: root.",
            extra={"hint": "Containers don't run as root, whose number is 0: write one such as 10001."},
        ),
    ]


class Package(_Shape, frozen=True):
    """The distribution that install: package installs."""

    name: Distribution
    wheels: Annotated[
        Path | UnsetType, about("A folder with wheels of it; without it, it comes from an index.")
    ] = UNSET


class Secret(_Shape, frozen=True):
    """A secret that a build step may read. Say env or file."""

    id: SecretId
    env: Annotated[Variable | UnsetType, about("The environment variable that holds it.")] = UNSET
    file: Annotated[SecretFile | UnsetType, about("The file that holds it.")] = UNSET


class Registry(_Shape, frozen=True):
    """A registry that images are pushed to."""

    url: Annotated[
        Line, Meta(description="Host, port and namespace.", examples=["docker.io/org", "localhost:5000/team"])
    ]


class Infrastructure(_Shape, frozen=True):
    """A server that services need and that is not built here."""

    image: ImageReference


Install = Annotated[
    Literal["source", "package"],
    about("source: locked requirements and declared sources. package: pip install NAME[service]==version."),
]
Sources = Annotated[tuple[Path, ...], about("Files and folders of the project that go into the image.")]
BuildPackages = Annotated[
    tuple[AptPackage, ...],
    about("Debian packages to build requirements with, where a requirement has no wheel. Not in the image."),
]
Secrets = Annotated[tuple[Secret, ...], about("Secrets that installing the requirements needs.")]
Needs = Annotated[tuple[Known, ...], about("Services and infrastructure that this one talks to.")]


class _Common(_Shape, frozen=True):
    """What a service and the defaults both may say."""

    base: Annotated[Known | UnsetType, about("A name from bases.")] = UNSET
    port: Annotated[Port | UnsetType, about("The port it listens on in its container.")] = UNSET
    user: User | UnsetType = UNSET
    health: Annotated[HttpPath | UnsetType, about("Answers 200 while the process is well.")] = UNSET
    ready: Annotated[HttpPath | UnsetType, about("Answers 200 while it can do its work.")] = UNSET
    metrics: Annotated[HttpPath | UnsetType, about("Answers with Prometheus metrics.")] = UNSET
    install: Install | UnsetType = UNSET
    package: Package | UnsetType = UNSET
    source_root: Annotated[
        Path | UnsetType,
        about("The folder that Python imports the sources from; by default the project's own."),
    ] = UNSET
    sources: Sources | UnsetType = UNSET
    requirements: Annotated[Path | UnsetType, about("The file of locked requirements, with hashes.")] = UNSET
    build_packages: BuildPackages | UnsetType = UNSET
    secrets: Secrets | UnsetType = UNSET
    needs: Needs | UnsetType = UNSET
    size_budget: Size | UnsetType = UNSET


class Defaults(_Common, frozen=True):
    """What every service has unless it says otherwise.

    A service's sources, secrets and build_packages are added to these; each other key replaces the default.
    """


class Service(_Common, frozen=True, kw_only=True):
    """One service, one image."""

    module: Module
    description: Description | UnsetType = UNSET
    publish: Annotated[
        Port | UnsetType, about("The port of the machine that leads to it; each service its own.")
    ] = UNSET


class Document(_Shape, frozen=True, kw_only=True):
    """What the platform's services are. Everything else is derived from this file."""

    project: ProjectName
    source: Url | UnsetType = UNSET
    licenses: Licenses | UnsetType = UNSET
    image: ImagePattern = "{project}-{service}"
    tags: Annotated[
        tuple[TagPattern, ...], Meta(min_length=1, description="The tags that each image gets.")
    ] = (
        "{tag}",
        "{version}",
        "{major}.{minor}",
        "{major}",
        "latest",
    )
    bases: Annotated[
        dict[Name, ImageReference],
        Meta(min_length=1, description="Base images, by the name that services use."),
    ]
    mirrors: Annotated[
        dict[Host, Line] | UnsetType,
        about("Where to pull a registry's images from: host to host[:port][/prefix]."),
    ] = UNSET
    registries: Annotated[dict[Name, Registry] | UnsetType, about("Registries to push to, by name.")] = UNSET
    ignore: Annotated[tuple[IgnorePattern, ...] | UnsetType, about("Files that never go into an image.")] = (
        UNSET
    )
    defaults: Defaults | UnsetType = UNSET
    services: Annotated[
        dict[Name, Service], Meta(min_length=1, description="The services, by name. 'common' is taken.")
    ]
    infrastructure: Annotated[
        dict[Name, Infrastructure] | UnsetType, about("Servers that services need, by name.")
    ] = UNSET
