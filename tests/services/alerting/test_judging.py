"""What a window says about a condition."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamflow.alerting.conditions import METRICS, parse
from streamflow.alerting.judging import verdict
from streamflow.alerting.windows import WindowSnapshot, load, metric
from streamflow.shared.bus import Dead, Message

from .desk import window


def snapshot(**fields: Any) -> WindowSnapshot:
    return WindowSnapshot.model_validate(window(**fields))


@pytest.mark.parametrize(
    ("condition", "minimum", "fields", "expected"),
    [
        ("error_rate > 0.1 over 1m", 0, {"error_rate": 0.2}, True),
        ("error_rate > 0.1 over 1m", 0, {"error_rate": 0.1}, False),
        ("error_rate > 0.1 over 1m", 0, {"error_rate": 0.2, "closed": False}, True),
        # The first events of a window say that it holds, and never that it doesn't.
        ("error_rate > 0.1 over 1m", 0, {"error_rate": 0.0, "closed": False}, None),
        ("error_rate < 0.1 over 1m", 0, {"error_rate": 0.0, "closed": False}, True),
        # Too few events say nothing while more may come, and that it doesn't hold when they didn't.
        ("error_rate > 0.1 over 1m", 101, {"error_rate": 1.0, "closed": False}, None),
        ("error_rate > 0.1 over 1m", 101, {"error_rate": 1.0}, False),
        ("error_rate > 0.1 over 1m", 100, {"error_rate": 1.0}, True),
        # What only grows is a lower bound until the window closes.
        ("count > 50 over 1m", 0, {"closed": False}, True),
        ("count > 500 over 1m", 0, {"closed": False}, None),
        ("count > 500 over 1m", 0, {}, False),
        ("count < 500 over 1m", 0, {"closed": False}, None),
        ("count < 500 over 1m", 0, {}, True),
        ("count <= 50 over 1m", 0, {"closed": False}, None),
        ("unique_users >= 7 over 1m", 0, {"closed": False}, True),
        # Silence.
        ("count < 1 over 1m", 0, {"count": 0}, True),
        ("error_rate > 0.1 over 1m", 0, {"count": 0, "error_rate": 0.0}, False),
        ("error_rate < 0.1 over 1m", 0, {"count": 0, "error_rate": 0.0}, False),
        # No figure.
        ("latency_p99 > 1 over 1m", 0, {"closed": False}, None),
        ("latency_p99 < 1 over 1m", 0, {}, False),
        ("latency_p95 >= 2 over 1m", 0, {}, True),
        ("latency_p50 > 2 over 1m", 0, {"closed": False}, None),
        ("latency_p50 > 2 over 1m", 0, {}, False),
    ],
)
def test_verdicts(condition: str, minimum: int, fields: dict[str, Any], expected: bool | None) -> None:
    assert verdict(parse(condition), minimum, snapshot(**fields)) is expected


def test_each_metric_of_a_condition_is_in_a_window() -> None:
    figures = [metric(snapshot(), name) for name in METRICS]
    assert figures == [100, 0.5, 7, 1.0, 2.0, None]


@given(
    st.sampled_from(METRICS),
    st.sampled_from([">", ">=", "<", "<="]),
    st.integers(0, 200),
    st.integers(0, 200),
)
def test_what_an_open_window_says_of_a_count_stays_true(
    name: str, comparison: str, threshold: int, count: int
) -> None:
    limit = threshold / 200 if name == "error_rate" else threshold
    condition = parse(f"{name} {comparison} {limit} over 1m")
    early = verdict(condition, 0, snapshot(count=count // 2, unique_users=count // 2, closed=False))
    late = verdict(condition, 0, snapshot(count=count, unique_users=count))
    assert late is not None
    if name in ("count", "unique_users"):
        assert early in (None, late)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not a window: it: Invalid JSON: EOF while parsing a value at line 1 column 0"),
        (b"\xff", "not a window: it: Invalid JSON: expected value at line 1 column 1"),
        (b"[]", "not a window: it: Input should be an object"),
        (b'{"window": "2m"}', "not a window: window: Input should be '1m', '5m' or '1h'"),
    ],
)
def test_what_is_no_window_is_dead(body: bytes, reason: str) -> None:
    message = Message(body)
    assert load(message) == Dead(message, reason)


@pytest.mark.parametrize(
    "fields",
    [
        {"start": "2026-03-01T10:00:00"},
        {"start": "0001-01-01T00:00:00+14:00"},
        {"revision": -1},
        {"revision": 2**63},
        {"count": 10**40},
        {"error_rate": "NaN"},
        {"latency": None},
        {"closed": 7},
    ],
)
def test_a_window_with_a_wrong_field_is_dead(fields: dict[str, Any]) -> None:
    assert isinstance(load(Message(json.dumps(window(**fields)).encode())), Dead)
