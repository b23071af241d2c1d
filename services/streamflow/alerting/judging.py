"""What a window says about a rule."""

from streamflow.alerting.conditions import Condition
from streamflow.alerting.windows import metric
from streamflow.shared.windows.snapshot import WindowSnapshot

# While a window is open these only grow, so until it closes they are a lower bound.
_GROWING = frozenset({"count", "unique_users"})


def verdict(condition: Condition, minimum_count: int, snapshot: WindowSnapshot) -> bool | None:
    """Whether the condition holds; None while the window is open and may still say otherwise.

    An open window may fulfil a condition, as soon as it has `minimum_count` events, and never fails it: its first
    event says nothing of the rest. Of what only grows, `count < 10` is known only when it closes. A closed window with
    fewer events, or without a figure for the metric, doesn't fulfil the condition.
    """
    value = metric(snapshot, condition.metric)
    known = value is not None and snapshot.count >= minimum_count
    holds = known and value is not None and condition.holds(value)
    if snapshot.closed:
        return holds
    final = condition.metric not in _GROWING or condition.comparison.startswith(">")
    return True if holds and final else None
