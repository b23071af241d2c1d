"""The windows that rules are judged by, as analytics publishes them, and what a rule's metric is in one."""

from pydantic import ValidationError

from streamflow.shared.bus import Dead, Message
from streamflow.shared.windows.snapshot import WindowSnapshot


def load(message: Message) -> WindowSnapshot | Dead:
    """The window that a message carries, or the message as a dead letter when it carries none."""
    try:
        return WindowSnapshot.model_validate_json(message.body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "it"
        return Dead(message, f"not a window: {place}: {first['msg']}")


def metric(snapshot: WindowSnapshot, name: str) -> float | None:
    """A metric of a condition in this window; None where the window has no figure for it."""
    if name.startswith("latency_"):
        found: float | None = getattr(snapshot.latency, name.removeprefix("latency_"))
        return found
    return {
        "count": snapshot.count,
        "error_rate": snapshot.error_rate if snapshot.count else None,
        "unique_users": snapshot.unique_users,
    }[name]
