"""The condition of an alert rule: a window's metric compared with a number. `error_rate > 0.05 over 5m`."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

METRICS = ("count", "error_rate", "unique_users", "latency_p50", "latency_p95", "latency_p99")
LONGEST = 200
WINDOWS = ("1m", "5m", "1h")
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_SHAPE = re.compile(
    r"\s*(?P<metric>[a-z_0-9]+)\s*(?P<comparison>[<>]=?)\s*(?P<threshold>-?\d+(\.\d+)?)\s+over\s+(?P<window>\w+)\s*",
    re.ASCII,
)


class ConditionError(ValueError):
    """The text is no condition; says why and what one looks like."""


@dataclass(frozen=True, slots=True)
class Condition:
    """When a rule fires."""

    metric: str
    comparison: str
    threshold: float
    window: str

    def holds(self, value: float) -> bool:
        """Whether the rule fires for this value of its metric."""
        return _COMPARISONS[self.comparison](value, self.threshold)


def parse(text: object) -> Condition:
    """The condition that the text says. Raises ConditionError, also for what is no text."""
    found = _SHAPE.fullmatch(text) if isinstance(text, str) and len(text) <= LONGEST else None
    if found is None:
        raise ConditionError("a condition looks like `error_rate > 0.05 over 5m`")
    metric, window = found["metric"], found["window"]
    if metric not in METRICS:
        raise ConditionError(f"there is no metric `{metric}`; there are {', '.join(METRICS)}")
    if window not in WINDOWS:
        raise ConditionError(f"there is no window `{window}`; there are {', '.join(WINDOWS)}")
    threshold = float(found["threshold"])
    if metric == "error_rate" and not 0 <= threshold <= 1:
        raise ConditionError("error_rate is a share, from 0 to 1: 5% is 0.05")
    return Condition(metric, found["comparison"], threshold, window)
