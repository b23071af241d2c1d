"""Events as they travel on the bus: a message's body is a JSON array of them."""

import json

from pydantic import TypeAdapter, ValidationError

from streamflow.shared.bus import Dead, Message, cut
from streamflow.shared.events import Event

_EVENTS = TypeAdapter(tuple[Event, ...])
_STEM_BYTES = 240  # of a message's id, so that the numbers of its pieces find room behind it


def dump(events: tuple[Event, ...]) -> bytes:
    """The body of a message that carries these events."""
    return _EVENTS.dump_json(events)


def join(bodies: list[bytes]) -> bytes:
    """One body that carries what several do, none of which is empty."""
    return b"[" + b",".join(body[1:-1] for body in bodies) + b"]"


def load(message: Message) -> tuple[tuple[Event, ...], tuple[Dead, ...]]:
    """The events that a message carries, and what in it is none, each piece as a dead letter of its own."""
    try:
        return _EVENTS.validate_json(message.body), ()
    except ValidationError:
        try:
            return _pieces(message)
        except RecursionError:
            return (), (Dead(message, "not an event: nested too deeply"),)


def _pieces(message: Message) -> tuple[tuple[Event, ...], tuple[Dead, ...]]:
    try:
        pieces = json.loads(message.body)
    except ValueError as error:
        return (), (Dead(message, f"not JSON: {error}"),)
    if not isinstance(pieces, list):
        return (), (Dead(message, "not a JSON array of events"),)
    events, dead = [], []
    for number, piece in enumerate(pieces):
        try:
            events.append(Event.model_validate_json(json.dumps(piece)))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            reason = f"not an event: {'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"
            own = f"{cut(message.id, _STEM_BYTES)}.{number}"
            alone = Message(json.dumps([piece]).encode(), message.correlation_id, own)
            dead.append(Dead(alone, reason))
    return tuple(events), tuple(dead)
