"""What an environment runs: of each service the image of a release, by its digest, or the one that was built here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from streamflow_build.errors import UsageError
from streamflow_build.model.deployment import DeployedImage, Deployment, Environment, Secret, Variable
from streamflow_build.model.project import Project
from streamflow_build.model.reference import Reference, registry_prefix
from streamflow_build.model.release import Release, ReleasedImage, ReleasedTo
from streamflow_build.model.tags import tags_of
from streamflow_build.model.version import Version


def built_here(project: Project, environment: Environment) -> Deployment:
    """What the environment runs of the images that this machine built last."""
    images = tuple(DeployedImage(service.name, service.latest) for service in project.services)
    return Deployment(environment.name, None, None, None, images)


def released(
    project: Project, environment: Environment, release: Release, registry: str | None, *, file: str
) -> Deployment:
    """What the environment runs of a release; ``file`` is where the release was read, for messages.

    The images come from ``registry``, else from the environment's own, else from the only one that has them.
    Raises UsageError where none, or more than one, is that, and where it lacks a service.
    """
    version = _checked(release, file)
    there = _chosen(release, registry or environment.registry, file)
    held = {image.service: image for image in there.images}
    missing = [service.name for service in project.services if service.name not in held]
    if missing:
        raise UsageError(
            f"{file} has no image of {', '.join(missing)} for {release.version} in {there.registry}.",
            hint=f"Push all of them: streamflow-build push {there.registry} {version}",
        )
    # However it was typed.
    typed = (version, Version.parse(f"v{version}"))
    of_version = frozenset(tag for each in typed for tag in tags_of(project.tags, each).full)
    return Deployment(
        environment.name,
        release.version,
        release.commit,
        there.registry,
        tuple(
            DeployedImage(service.name, _reference(held[service.name], there.registry, of_version, file))
            for service in project.services
        ),
    )


def secrets_of(project: Project, environment: Environment) -> dict[str, Secret]:
    """The secrets that the environment's containers use, by their names."""
    variables = _variables(project, environment)
    return {part.name: part for v in variables for part in v.parts if isinstance(part, Secret)}


def check_secrets(project: Project, environment: Environment, values: Mapping[str, str]) -> None:
    """See that each secret that the environment's containers use is among ``values``, or given, and can be used.

    Raises UsageError that names those that aren't, and none of their values.
    """
    used = secrets_of(project, environment)
    given = dict(environment.given)
    missing = [
        each for each in used.values() if not (values.get(each.name, "").strip() or given.get(each.name))
    ]
    if missing:
        said = ", ".join(f"{each.name} ({each.description})" for each in missing)
        names = " ".join(each.name for each in missing)
        raise UsageError(
            f"{environment.name} lacks secrets: {said}.",
            hint=f"Set them as environment variables, or write them to .env.{environment.name}, "
            f"such as: (umask 077; for secret in {names}; do printf '\\n%s=%s\\n' $secret "
            f"$(openssl rand -hex 24); done >> .env.{environment.name})",
        )
    in_addresses = {
        part.name
        for variable in _variables(project, environment)
        if any(isinstance(part, str) and "://" in part for part in variable.parts)
        for part in variable.parts
        if isinstance(part, Secret)
    }
    unfit = [name for name in used if name in in_addresses and not _fits(values.get(name, ""))]
    if unfit:
        raise UsageError(
            f"{', '.join(unfit)}: it is part of an address, and holds a character that stands for something there.",
            hint="Take one of letters, digits, '.', '_', '~' and '-', such as: openssl rand -hex 24",
        )


def _variables(project: Project, environment: Environment) -> Iterator[Variable]:
    for service in project.services:
        yield from environment.variables(service.name, service.environment)
    for server in project.infrastructure:
        yield from server.environment


def _fits(value: str) -> bool:
    # https://www.rfc-editor.org/rfc/rfc3986#section-2.3: what stands for itself wherever it is.
    return re.fullmatch(r"[A-Za-z0-9._~-]*", value) is not None


def _checked(release: Release, file: str) -> Version:
    """The version of a release whose texts are what they should be, whoever wrote the file. Raises UsageError."""
    try:
        for each in release.registries:
            registry_prefix(each.registry)
        return Version.parse(release.version)
    except UsageError as error:
        raise _damaged(file, error.message) from None


def _chosen(release: Release, registry: str | None, file: str) -> ReleasedTo:
    there = {each.registry: each for each in release.registries}
    if registry is None and len(there) == 1:
        registry = next(iter(there))
    where = f"in {', '.join(there)}" if there else "in no registry"
    if registry is None:
        hint = (
            f"Say which one: --registry {next(iter(there))}"
            if there
            else "Push it: streamflow-build push ghcr.io/org"
        )
        raise UsageError(f"{file} has {release.version} {where}.", hint=hint)
    if registry not in there:
        raise UsageError(
            f"{file} has {release.version} {where}, and not in {registry}.",
            hint=f"Push it there: streamflow-build push {registry} {release.version}",
        )
    return there[registry]


def _reference(image: ReleasedImage, registry: str, of_version: frozenset[str], file: str) -> str:
    tag = next((f":{tag}" for tag in image.tags if tag in of_version), "")
    try:
        found = Reference.parse(f"{image.repository}{tag}@{image.digest}")
    except UsageError as error:
        raise _damaged(file, error.message) from None
    inside = Reference.parse(f"{registry_prefix(registry)}/x")
    if not str(found).startswith(str(inside).removesuffix("x:latest")):
        raise _damaged(file, f"{image.repository!r} is not in {registry!r}.")
    return str(found)


def _damaged(file: str, what: str) -> UsageError:
    return UsageError(f"{file} is damaged: {what}", hint="Push the version again, which writes it anew.")
