"""Which images to build, under which names, and why."""

from __future__ import annotations

import msgspec

from streamflow_build.errors import UsageError
from streamflow_build.model.image import (
    LABEL_FINGERPRINT,
    LABEL_INPUTS,
    OCI,
    BuildRequest,
    ContextFile,
    Image,
)
from streamflow_build.model.project import Project, Service
from streamflow_build.model.reference import Reference
from streamflow_build.model.tags import Tags
from streamflow_build.model.version import Version
from streamflow_build.plan.fingerprint import Inputs, changed, inputs


class Goal(msgspec.Struct, frozen=True):
    """What the user asked for.

    These services, under this version (None: only ``latest``), also in that registry (host and namespace),
    from the cache or not.
    """

    services: tuple[Service, ...]
    version: Version | None
    tags: Tags
    registry: str | None
    no_cache: bool


class Origin(msgspec.Struct, frozen=True):
    """Where the sources come from: the commit, None outside a repository; the time to note, RFC 3339 in UTC."""

    revision: str | None
    created: str


class Material(msgspec.Struct, frozen=True):
    """What one service's image is made of, read from the disk, and its build's secrets.

    ``confidential`` are those of the secrets' values that may be shown to nobody.
    """

    context: tuple[ContextFile, ...]
    secrets: dict[str, bytes]
    confidential: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"Material({len(self.context)} files)"


class Refused(msgspec.Struct, frozen=True):
    """A floating tag that stays where it is, and why."""

    reference: str
    reason: str


class Build(msgspec.Struct, frozen=True):
    """Build this image, because of ``reason``."""

    service: Service
    request: BuildRequest
    base: Image
    reason: str
    refused: tuple[Refused, ...]


class Keep(msgspec.Struct, frozen=True):
    """The image exists with the same inputs: no build; ``missing`` are the names to give it still."""

    service: Service
    image: Image
    base: Image
    tags: tuple[str, ...]
    missing: tuple[str, ...]
    refused: tuple[Refused, ...]


Step = Build | Keep


def check_goal(goal: Goal) -> None:
    """Raises UsageError where the goal lacks a version that a service needs, or gives it a name too long."""
    for service in goal.services:
        Reference.parse(references(goal, service)[-1])
        if service.install == "package" and goal.version is None:
            raise UsageError(
                f"Service {service.name!r} is installed from a package, so its image needs a version.",
                hint="Name it: streamflow-build images 1.0.0",
            )


def references(goal: Goal, service: Service) -> tuple[str, ...]:
    """Every name the service's image gets, the full versions first, the local names before the registry's."""
    prefixes = ("",) if goal.registry is None else ("", f"{goal.registry}/")
    return tuple(
        f"{p}{service.image}:{tag}" for p in prefixes for tag in (*goal.tags.full, *goal.tags.floating)
    )


def plan_image(  # noqa: PLR0913 - each is another fact of the plan
    project: Project,
    goal: Goal,
    service: Service,
    *,
    material: Material,
    base: Image,
    observed: dict[str, Image],
    origin: Origin,
) -> Step:
    """What to do for one service.

    ``observed`` holds the images that now have one of the service's names, by that name.
    """
    names = references(goal, service)
    refused = tuple(
        r for name in names if (r := _refusal(goal, name, _holder(goal, name, observed))) is not None
    )
    tags = tuple(name for name in names if name not in {r.reference for r in refused})
    build_args = _build_args(goal, service)
    now = inputs(
        base=(service.base.image, base.id),
        context=material.context,
        paths=service.sources,
        build_args=build_args,
        labels=_static_labels(project, service),
    )
    present = next(
        (i for n in names if (i := observed.get(n)) is not None and _same(i, now, goal.version)), None
    )
    if present is not None and not goal.no_cache:
        missing = tuple(t for t in tags if (held := observed.get(t)) is None or held.id != present.id)
        return Keep(service, present, base, tags, missing, refused)
    request = BuildRequest(
        service=service.name,
        dockerfile=service.dockerfile,
        context=material.context,
        labels=_labels(project, goal, service, base, now, origin),
        build_args=build_args,
        tags=tags,
        no_cache=goal.no_cache,
        secrets=material.secrets,
    )
    return Build(service, request, base, _reason(goal, now, _before(goal, service, observed), base), refused)


def _same(image: Image, now: Inputs, version: Version | None) -> bool:
    """Whether the image is what would be built. Where no version is asked for, that of the image is right."""
    asked = version is None or image.labels.get(f"{OCI}.version") == str(version)
    return asked and image.labels.get(LABEL_FINGERPRINT) == now.fingerprint


def _before(goal: Goal, service: Service, observed: dict[str, Image]) -> Image | None:
    """The image to compare with: this version's, else the most recent of those that are there."""
    names = references(goal, service)
    full = [name for name in names if name.rpartition(":")[2] in goal.tags.full]
    return next((i for name in (*full, *reversed(names)) if (i := observed.get(name)) is not None), None)


def _reason(goal: Goal, now: Inputs, before: Image | None, base: Image) -> str:
    if goal.no_cache:
        return "--no-cache"
    if before is None:
        return "no image yet"
    if before.labels.get(LABEL_FINGERPRINT) == now.fingerprint:
        return f"same inputs as {before.labels.get(f'{OCI}.version', 'latest')}: new labels only"
    names = changed(before.labels.get(LABEL_INPUTS, ""), now)
    if not names:
        return "the image was not made by this tool"
    if not base.id and len(names) == 1 and names[0].startswith("base "):
        # A plan pulls nothing, and what isn't here can't be compared.
        return f"{names[0]} is not here yet, and may have changed"
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""  # noqa: PLR2004 - two names fit a table's cell
    return f"changed: {', '.join(names[:2])}{more}"


def _holder(goal: Goal, name: str, observed: dict[str, Image]) -> Image | None:
    """The image that a name is on. What a registry's name is on may be unknown here: then the local one tells."""
    return observed.get(name) or observed.get(name.removeprefix(f"{goal.registry}/"))


def _refusal(goal: Goal, name: str, held: Image | None) -> Refused | None:
    if goal.version is None or held is None or name.rpartition(":")[2] not in goal.tags.floating:
        return None
    try:
        holder = Version.parse(held.labels.get(f"{OCI}.version", ""))
    except UsageError:
        return None
    if holder <= goal.version:
        return None
    return Refused(name, f"on {holder}, which is newer than {goal.version}")


def _build_args(goal: Goal, service: Service) -> dict[str, str]:
    return {} if service.install == "source" else {"VERSION": str(goal.version)}


def _labels(  # noqa: PLR0913, PLR0917 - each is another fact of the label set
    project: Project, goal: Goal, service: Service, base: Image, now: Inputs, origin: Origin
) -> dict[str, str]:
    digest = next((d.rpartition("@")[2] for d in base.digests), base.id)
    labels = _static_labels(project, service) | {
        f"{OCI}.version": "" if goal.version is None else str(goal.version),
        f"{OCI}.revision": origin.revision or "",
        f"{OCI}.created": origin.created,
        f"{OCI}.base.name": str(Reference.parse(service.base.image)),
        f"{OCI}.base.digest": digest,
        LABEL_FINGERPRINT: now.fingerprint,
        LABEL_INPUTS: now.dumps(),
    }
    # What is said of the base isn't true of the image: an empty label hides the inherited one.
    return {name: value for name, value in labels.items() if value or name in base.labels}


def _static_labels(project: Project, service: Service) -> dict[str, str]:
    return {
        f"{OCI}.title": service.image,
        f"{OCI}.description": service.description,
        f"{OCI}.source": project.source,
        f"{OCI}.url": project.source,
        f"{OCI}.licenses": project.licenses,
    }
