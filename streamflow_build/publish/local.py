"""What there is to publish: the version, and the engine's images of it."""

from __future__ import annotations

from streamflow_build.engine.interface import Engine
from streamflow_build.errors import UsageError
from streamflow_build.model.image import Image
from streamflow_build.model.project import Project
from streamflow_build.model.version import Version
from streamflow_build.plan.publish import PublishGoal, newest


def version_of(project: Project, engine: Engine, word: str | None) -> Version:
    """The version that was named, else the newest that the engine has of all services.

    Raises UsageError for a word that is no version, and where there is none.
    """
    if word is not None:
        return Version.parse(word)
    found = newest(project.tags, tuple(engine.tags(service.image) for service in project.services))
    if found is None:
        raise UsageError(
            "The engine has no version of all services.",
            hint="Build one first: streamflow-build images v1.0.0",
        )
    return found


def images_of(goal: PublishGoal, engine: Engine) -> dict[str, Image]:
    """The engine's images of the goal's version, by the services' names. Raises UsageError where one is missing."""
    tag = goal.tags.full[0]
    found = {service.name: engine.image(f"{service.image}:{tag}") for service in goal.services}
    missing = [name for name, image in found.items() if image is None]
    if missing:
        raise UsageError(
            f"The engine has no image {tag} of {', '.join(missing)}.",
            hint=f"Build it first: streamflow-build images {goal.version.typed}",
        )
    return {name: image for name, image in found.items() if image is not None}
