"""The shape of streamflow.yaml: its keys, what each means, and the types of their values.

The JSON Schema is made from these types and the loader walks them, so that editors and the tool agree.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from streamflow_build.config.values import (
    AptPackage,
    ContainerPath,
    Description,
    Distribution,
    GivenValue,
    Host,
    HttpPath,
    IgnorePattern,
    ImagePattern,
    ImageReference,
    Known,
    Licenses,
    Line,
    MemorySize,
    Module,
    Name,
    Path,
    Port,
    ProjectName,
    SecretFile,
    SecretId,
    Size,
    TagPattern,
    Url,
    UserName,
    Value,
    Variable,
)


def about(description: str) -> Meta:
    """The meaning of a key whose type says nothing of it."""
    return Meta(description=description)


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
    create_repositories: Annotated[
        bool | UnsetType,
        about("Whether `push` makes the repositories that Amazon's ECR lacks; with the extra `ecr`."),
    ] = UNSET


Variables = Annotated[
    dict[Variable, Value],
    about(
        "Variables of the container. Placeholders: {SECRET}, and {needed}: host and port of what it needs."
    ),
]


HealthCommand = Annotated[
    tuple[Line, ...],
    Meta(
        description="A command that succeeds in its container once it serves.",
        examples=[["redis-cli", "ping"]],
        min_length=1,
    ),
]


class Infrastructure(_Shape, frozen=True):
    """A server that services need and that is not built here."""

    image: ImageReference
    port: Annotated[Port | UnsetType, about("The port it listens on in its container.")] = UNSET
    command: Annotated[
        tuple[Line, ...] | UnsetType, about("Arguments of its image's entry point; the image's own without.")
    ] = UNSET
    environment: Variables | UnsetType = UNSET
    health: HealthCommand | UnsetType = UNSET
    data: Annotated[
        ContainerPath | UnsetType, about("The folder in its container that outlives the container.")
    ] = UNSET


Replicas = Annotated[int, Meta(ge=1, le=1000, description="How many containers; 1 unless it says so.")]


class Scale(_Shape, frozen=True):
    """How much of a service runs in an environment."""

    replicas: Replicas | UnsetType = UNSET
    memory: Annotated[MemorySize | UnsetType, about("The most memory that each of them may take.")] = UNSET
    environment: Variables | UnsetType = UNSET


class Environment(_Shape, frozen=True):
    """Where the platform is deployed. The first one is docker-compose.yml, each other one an override of it."""

    images: Annotated[
        Literal["built", "released"],
        about("built: the latest images of this machine, for development. released: a release's, by digest."),
    ] = "released"
    registry: Annotated[
        Line | UnsetType,
        about("Which registry a release is taken from: a name of registries, or an address."),
    ] = UNSET
    environment: Variables | UnsetType = UNSET
    secrets: Annotated[
        dict[Variable, GivenValue] | UnsetType,
        about("Values of secrets that are none here, in an environment for development."),
    ] = UNSET
    publish: Annotated[
        tuple[Known, ...] | UnsetType,
        about("The services that are reached from outside; by default all that say a port to publish."),
    ] = UNSET
    read_only: Annotated[
        bool | UnsetType, about("Whether services can't write into their containers, but for /tmp.")
    ] = UNSET
    services: Annotated[dict[Name, Scale] | UnsetType, about("What is otherwise here, by service.")] = UNSET


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
    environment: Variables | UnsetType = UNSET
    size_budget: Size | UnsetType = UNSET


class Defaults(_Common, frozen=True):
    """What every service has unless it says otherwise.

    A service's sources, secrets, build_packages and environment are added to these; each other key replaces the
    default.
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
    services: Annotated[dict[Name, Service], Meta(min_length=1, description="The services, by name.")]
    infrastructure: Annotated[
        dict[Name, Infrastructure] | UnsetType, about("Servers that services need, by name.")
    ] = UNSET
    secrets: Annotated[
        dict[Variable, Line] | UnsetType,
        about("What whoever deploys gives, by environment variables: each one's name, and what it is."),
    ] = UNSET
    environments: Annotated[
        dict[Name, Environment] | UnsetType, about("Where the platform is deployed, by name.")
    ] = UNSET
