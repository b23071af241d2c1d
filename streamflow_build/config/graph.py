"""What holds between services: ports of their own, and needs without a cycle."""

from __future__ import annotations

from msgspec import UNSET

from streamflow_build.config import shape
from streamflow_build.config.names import unknown
from streamflow_build.config.problems import Problems
from streamflow_build.model.project import Project


def check_ports(project: Project, problems: Problems) -> None:
    """Note each published port that two services share."""
    ports: dict[int, str] = {}
    for service in project.services:
        if service.publish is None:
            continue
        other = ports.setdefault(service.publish, service.name)
        if other != service.name:
            line = problems.mark(("services", other, "publish")).line
            problems.about(
                ("services", service.name, "publish"),
                f"{service.publish} is already published by {other!r} on line {line}",
                "Give each service a port of its own.",
            )


def check_needs(document: shape.Document, problems: Problems) -> None:
    """Note each need that names nothing or its own service, and each cycle."""
    known = [*document.services, *(document.infrastructure or {})]
    needs: dict[str, tuple[str, ...]] = {}
    for name, said in document.services.items():
        own = said.needs is not UNSET
        at = ("services", name, "needs") if own else ("defaults", "needs")
        listed = said.needs if own else (document.defaults.needs if document.defaults else ())
        listed = listed or ()
        for index, need in enumerate(listed):
            keys = (*at, index)
            with problems.place(keys):
                if need not in known:
                    raise unknown(need, "service or infrastructure", known)
            if need == name:
                problems.about(keys, f"{name!r} needs itself", "Take it out of the list.")
            elif need in listed[:index]:
                problems.about(keys, f"{need!r} is already in this list", "Take one of them out.")
        needs[name] = tuple(n for n in listed if n in document.services and n != name)
    for cycle in _cycles(needs):
        need = cycle[1]
        at = ("services", cycle[0], "needs")
        listed = document.services[cycle[0]].needs or ()
        problems.about(
            (*at, listed.index(need)) if need in listed else ("defaults", "needs"),
            f"these services need each other: {' → '.join(cycle)}",
            "Take one of these needs out: no order would start them.",
        )


def _cycles(needs: dict[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Each cycle that a walk in the order of the file meets, with its first name again at the end."""
    cycles: list[tuple[str, ...]] = []
    done: set[str] = set()
    for start, first in needs.items():
        # A stack of its own: a chain of some thousand services is no reason to end with a RecursionError.
        stack = [iter(first)] if start not in done else []
        way = [start] if stack else []
        while stack:
            following = next(stack[-1], None)
            if following is None:
                stack.pop()
                done.add(way.pop())
            elif following in way:
                cycles.append((*way[way.index(following) :], following))
            elif following not in done:
                way.append(following)
                stack.append(iter(needs[following]))
    return cycles
