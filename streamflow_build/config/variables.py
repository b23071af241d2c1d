"""Variables of containers: placeholders of their values, put in where they are known, kept where they are secret."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, UnsetType

from streamflow_build.config.names import placeholders, unknown
from streamflow_build.config.problems import Keys, Problems, Wrong, quoted
from streamflow_build.model.deployment import Secret, Variable

Said = Mapping[str, tuple[str, Keys]]
"""Values by their variables' names, each with where it stands."""


class Places(msgspec.Struct, frozen=True):
    """What placeholders may name: secrets, and the ports of services and infrastructure, None where one has none."""

    secrets: Mapping[str, Secret]
    ports: Mapping[str, int | None]


def placed(values: Mapping[str, str] | UnsetType, keys: Keys) -> Said:
    """What a mapping of the file says, whose keys are these."""
    return {} if values is UNSET else {name: (text, (*keys, name)) for name, text in values.items()}


def variables(
    said: Said, places: Places, problems: Problems, *, holder: str, needs: tuple[str, ...] | None
) -> tuple[Variable, ...]:
    """The variables of ``holder``, whose values may name what it ``needs``; what is wrong goes to ``problems``.

    ``needs`` is None where nothing can be said to be needed, and values name secrets only.
    """
    found = []
    for name, (text, keys) in said.items():
        with problems.place(keys):
            if name == "PORT":
                raise Wrong("PORT is what port says", "Take it out, and write port where it should differ.")
            found.append(Variable(name, _parts(text, places, holder, needs)))
    return tuple(found)


def _parts(text: str, places: Places, holder: str, needs: tuple[str, ...] | None) -> tuple[str | Secret, ...]:
    parts: list[str | Secret] = []
    for plain, name in placeholders(text):
        if plain:
            parts.append(plain)
        if name is None:
            continue
        if name in places.secrets:
            parts.append(places.secrets[name])
        elif name in (needs or ()) and name in places.ports:
            parts.append(_address(name, places.ports[name]))
        elif name in places.ports and needs is None:
            raise Wrong(
                f"only secrets can be named here, and {quoted(name)} is none",
                f"Write host and port out: {name}:{places.ports[name] or 'PORT'}",
            )
        elif repr(name) == holder:
            raise Wrong(
                "a service is none of its own needs", f"Write host and port out: {name}:{places.ports[name]}"
            )
        elif name in places.ports:
            raise Wrong(
                f"{holder} doesn't need {quoted(name)}",
                f"Add {name} to its needs, or take the placeholder out.",
            )
        else:
            kind = "secret" if needs is None else "secret, service or infrastructure"
            raise unknown(name, kind, [*places.secrets, *(needs or ())])
    return _joined(parts)


def _address(name: str, port: int | None) -> str:
    if port is None:
        raise Wrong(
            f"{quoted(name)} has no port, and the placeholder is host and port",
            f"Say its port in infrastructure: {name}: {{port: 5432}}",
        )
    # On every target a container finds the others by their names.
    return f"{name}:{port}"


def _joined(parts: list[str | Secret]) -> tuple[str | Secret, ...]:
    joined: list[str | Secret] = []
    for part in parts:
        if joined and isinstance(part, str) and isinstance(joined[-1], str):
            joined[-1] += part
        else:
            joined.append(part)
    return tuple(joined)
