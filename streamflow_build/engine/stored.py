"""The images that an engine holds: inspect, history, tags; its answers become the model's types."""

from __future__ import annotations

import re
import time
from typing import Any

from docker.errors import APIError, NotFound
from docker.utils import parse_repository_tag

from streamflow_build.engine.connection import Connection, explanation
from streamflow_build.errors import EngineError
from streamflow_build.model.image import Image, Layer

_SHELL = re.compile(r"^RUN (?:\|\d+ .*?)?/bin/sh -c ")
_BETWEEN = re.compile("already exists|No such image")
_PAUSES = (0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2)
"""How long to wait, in seconds, before a name is set again that another run sets at the same moment."""


def find(connection: Connection, reference: str) -> Image | None:
    """The image of that tag, digest or id, or None."""
    with connection.errors():
        try:
            inspected = connection.client.inspect_image(reference)
        except NotFound:
            return None
        except APIError as error:
            raise connection.refused(f"to look at {reference}", error) from error
    return Image(
        id=inspected["Id"],
        tags=tuple(sorted(inspected.get("RepoTags") or ())),
        digests=tuple(sorted(inspected.get("RepoDigests") or ())),
        labels=dict((inspected.get("Config") or {}).get("Labels") or {}),
        # The engine's own figure counts compressed content as well on the containerd store.
        size=sum(layer.size for layer in layers(connection, inspected["Id"])),
        diff_ids=tuple((inspected.get("RootFS") or {}).get("Layers") or ()),
    )


def tags(connection: Connection, repository: str) -> frozenset[str]:
    """The tags of a repository's images."""
    with connection.errors():
        try:
            listed: list[dict[str, Any]] = connection.client.images(name=repository)
        except APIError as error:
            raise connection.refused(f"to list the images of {repository}", error) from error
    names = (name.rpartition(":") for image in listed for name in image.get("RepoTags") or ())
    return frozenset(tag for named, _, tag in names if named == repository)


def layers(connection: Connection, reference: str) -> tuple[Layer, ...]:
    """The layers that hold bytes, from the lowest; raises EngineError for an unknown image."""
    if known := connection.layers.get(reference):
        return known
    with connection.errors():
        try:
            entries: list[dict[str, Any]] = connection.client.history(reference)
        except NotFound as error:
            raise EngineError(
                f"The Docker Engine at {connection.address} holds no image {reference}."
            ) from error
        except APIError as error:
            raise connection.refused(f"the history of {reference}", error) from error
    found = tuple(
        Layer(_step(entry["CreatedBy"]), entry["Size"]) for entry in reversed(entries) if entry["Size"] > 0
    )
    if reference.startswith("sha256:"):
        connection.layers[reference] = found
    return found


def tag(connection: Connection, image: str, references: tuple[str, ...]) -> None:
    """Give an image further names: all of them, or, when the engine refuses one, none."""
    before = {reference: _identifier(connection, reference) for reference in references}
    begun: list[str] = []
    try:
        for reference in references:
            begun.append(reference)  # an answer may be lost after the deed
            _named(connection, image, reference)
    except EngineError as error:
        if left := _not_restored(connection, begun, before):
            raise EngineError(
                error.message,
                hint=f"Run the command again: {', '.join(left)} may be on the new image, others of its tags not.",
            ) from error
        raise


def untag(connection: Connection, reference: str) -> None:
    """Take a name from an image; the image stays where it has another."""
    with connection.errors():
        try:
            connection.client.remove_image(reference, noprune=True)
        except APIError as error:
            raise connection.refused(f"to remove the tag {reference}", error) from error


def _tag(connection: Connection, image: str, reference: str) -> None:
    repository, name = parse_repository_tag(reference)
    for pause in _PAUSES:
        try:
            connection.client.tag(image, repository, name)
        except APIError as error:
            # The containerd store takes a name away before it sets it anew, and an image's place-holder when it gets
            # its first name; who comes between is told so.
            if not _BETWEEN.search(explanation(error)):
                raise
            time.sleep(pause)
        else:
            return
    connection.client.tag(image, repository, name)


def _named(connection: Connection, image: str, reference: str) -> None:
    with connection.errors():
        try:
            _tag(connection, image, reference)
        except APIError as error:
            raise connection.refused(f"to tag {image} as {reference}", error) from error


def _not_restored(connection: Connection, references: list[str], before: dict[str, str | None]) -> list[str]:
    """Put names back where they were; those for which the engine wouldn't."""
    left: list[str] = []
    for place, reference in enumerate(references):
        was = before[reference]
        try:
            if _identifier(connection, reference) == was:
                continue
            if was is None:
                untag(connection, reference)
            else:
                _named(connection, was, reference)
        except EngineError:
            if not connection.answers():
                return [*left, *references[place:]]
            left.append(reference)
    return left


def _identifier(connection: Connection, reference: str) -> str | None:
    with connection.errors():
        try:
            return str(connection.client.inspect_image(reference)["Id"])
        except NotFound:
            return None
        except APIError as error:
            raise connection.refused(f"to look at {reference}", error) from error


def _step(created_by: str) -> str:
    """The Dockerfile's instruction, without what the engine wraps around it."""
    text = created_by.removesuffix(" # buildkit").replace("/bin/sh -c #(nop) ", "", 1)
    return _SHELL.sub("RUN ", text).strip()
