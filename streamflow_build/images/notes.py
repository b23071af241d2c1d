"""What a run says of the tags that it leaves where they are, in as few lines as agree."""

from __future__ import annotations

from streamflow_build.plan.images import Step


def stays(steps: tuple[Step, ...]) -> tuple[str, ...]:
    """``1 and latest stay on 1.1.0, which is newer than 1.0.1: web, mail``: a line for all services alike."""
    alike: dict[str, list[str]] = {}
    for step in steps:
        for said in _of(step):
            alike.setdefault(said, []).append(step.service.name)
    return tuple(f"{said}: {', '.join(services)}" for said, services in alike.items())


def _of(step: Step) -> list[str]:
    tags: dict[tuple[str, str], list[str]] = {}
    for refused in step.refused:
        repository, _, tag = refused.reference.rpartition(":")
        registry = repository.removesuffix(step.service.image).rstrip("/")
        tags.setdefault((registry, refused.reason), []).append(tag)
    return [
        f"{_listed(found)}{f' at {registry}' * bool(registry)} {'stay' if found[1:] else 'stays'} {where}"
        for (registry, where), found in tags.items()
    ]


def _listed(words: list[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
