"""Tags of one repository: looked at before anything is sent, put, and read back."""

from __future__ import annotations

import msgspec

from streamflow_build.errors import RegistryError
from streamflow_build.model.project import Service
from streamflow_build.plan.publish import Held, PublishGoal, to_look_at
from streamflow_build.publish.candidate import Candidate
from streamflow_build.registry.manifest import Manifest
from streamflow_build.registry.repository import Repository


class Found(msgspec.Struct, frozen=True):
    """What a repository holds, and the candidate's manifest where it is there already, with all that belongs to it.

    ``lost`` are the digests of what a manifest of the candidate lacks.
    """

    service: Service
    candidate: Candidate
    repository: Repository
    held: Held
    manifest: Manifest | None
    lost: tuple[str, ...] = ()


def look(goal: PublishGoal, service: Service, candidate: Candidate, repository: Repository) -> Found:
    """Look at a repository.

    Raises RegistryError where a tag of the full version has other content and the goal doesn't force it.
    """
    tags = repository.tags()
    digests = _digests(repository, to_look_at(goal, tags))
    manifest = None
    for tag in goal.tags.full:
        if tag not in digests or (manifest is not None and digests[tag] == manifest.digest):
            continue
        there = repository.manifest(tag)
        if there is not None and candidate.is_in(there):
            manifest = manifest or there
        elif there is not None and not goal.force:
            raise _other_content(repository, tag, there, candidate)
    lost = () if manifest is None else repository.lost(manifest)
    return Found(service, candidate, repository, Held(tags, digests), None if lost else manifest, lost)


def still_missing(goal: PublishGoal, found: Found, manifest: Manifest) -> Manifest:
    """What to put as the version: the manifest, or another's of the same image, who was faster; sending takes a while.

    Raises RegistryError where the version has got other content meanwhile, and the goal doesn't force it.
    """
    mine = None
    for tag in () if goal.force else goal.tags.full:
        there = found.repository.manifest(tag)
        if there is not None and not found.candidate.is_in(there):
            raise _other_content(found.repository, tag, there, found.candidate)
        mine = mine or there
    return manifest if mine is None or found.lost else mine


def check_whole(repository: Repository, manifest: Manifest) -> None:
    """See that a registry has all that was sent, or was there, before a tag says so. Raises RegistryError."""
    if lost := repository.lost(manifest):
        raise RegistryError(
            f"{repository} lacks {', '.join(lost)}, which it took, or said it has.",
            hint="Push the image again, which sends it. If it stays so, look at the registry's storage.",
        )


def look_again(goal: PublishGoal, found: Found) -> Found:
    """The same with the floating tags as they are now. Raises RegistryError."""
    tags, full = found.repository.tags(), goal.tags.full
    kept = {tag: digest for tag, digest in found.held.digests.items() if tag in full}
    floating = tuple(tag for tag in to_look_at(goal, tags) if tag not in full)
    return msgspec.structs.replace(found, held=Held(tags, kept | _digests(found.repository, floating)))


def put_tags(found: Found, manifest: Manifest, tags: tuple[str, ...]) -> tuple[str, ...]:
    """Put those tags that aren't on the manifest, and read each back; those that were put. Raises RegistryError."""
    repository = found.repository
    missing = tuple(tag for tag in tags if found.held.digests.get(tag) != manifest.digest)
    for tag in missing:
        repository.put(tag, manifest)
        there = repository.manifest(tag)
        if there is None or there.digest != manifest.digest:
            raise _not_what_was_sent(repository, tag, there, manifest)
    return missing


def _digests(repository: Repository, tags: tuple[str, ...]) -> dict[str, str]:
    return {tag: digest for tag in tags if (digest := repository.digest(tag)) is not None}


def _other_content(repository: Repository, tag: str, there: Manifest, candidate: Candidate) -> RegistryError:
    inside = "" if there.config is None else f" (image {there.config.digest})"
    return RegistryError(
        f"{repository}:{tag} is there with other content: {there.digest}{inside}, and {candidate.named}.",
        hint="A version is published once: give the new content a new version. --force overwrites it.",
    )


def _not_what_was_sent(
    repository: Repository, tag: str, there: Manifest | None, sent: Manifest
) -> RegistryError:
    has = "no such tag" if there is None else there.digest
    return RegistryError(
        f"{repository}:{tag} was sent as {sent.digest}, and the registry has {has}.",
        hint="Something else writes to this tag, or the registry is broken: run the command again.",
    )
