"""What a window says about a rule."""

from streamflow.alerting.conditions import Condition
from streamflow.alerting.windows import metric
from streamflow.shared.windows.snapshot import WindowSnapshot

# While a window is open these only grow, so until it closes they are a lower bound.
_GROWING = frozenset({"count", "unique_users"})


def verdict(condition: Condition, minimum_count: int, snapshot: WindowSnapshot) -> bool | None:
    """Whether the condition holds; None while the window is open and may still say otherwise.

    `count > 100` holds as soon as it is passed, and fails only when the window closes; `count < 10` is known only
    then. Rates and percentiles count as known from `minimum_count` events on. A closed window with fewer events, or
    without a figure for the metric, doesn't fulfil the condition.
    """
    value = metric(snapshot, condition.metric)
    known = value is not None and snapshot.count >= minimum_count
    holds = known and value is not None and condition.holds(value)
    if snapshot.closed:
        return holds
    if condition.metric in _GROWING:
        return True if holds and condition.comparison.startswith(">") else None
    return holds if known else None
