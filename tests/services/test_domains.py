"""What each service knows of its own subject so far."""

from datetime import UTC, datetime, timedelta

import pytest

from streamflow.alerting.app import Settings as AlertingSettings
from streamflow.alerting.app import create_app as create_alerting
from streamflow.alerting.conditions import ConditionError, parse
from streamflow.ingestion.app import Settings as IngestionSettings
from streamflow.ingestion.app import create_app as create_ingestion
from streamflow.storage.app import Settings as StorageSettings
from streamflow.storage.app import create_app as create_storage

from .asgi import AUTHORIZED, ask

INGESTION = create_ingestion(IngestionSettings())
ALERTING = create_alerting(AlertingSettings())


def test_an_event_is_completed_and_brought_to_utc() -> None:
    sent = {"type": "web.click", "source": "shop", "timestamp": "2026-03-01T01:30:00+02:00", "tags": ["a"]}
    event = ask(INGESTION, "POST", "/events/validate", json=sent, headers=AUTHORIZED).json()
    assert len(event.pop("id")) == 36
    assert event == {
        "type": "web.click",
        "source": "shop",
        "timestamp": "2026-02-28T23:30:00Z",
        "severity": "low",
        "data": {},
        "metadata": {},
        "correlation_id": None,
        "session_id": None,
        "user_id": None,
        "tags": ["a"],
    }


@pytest.mark.parametrize(
    ("field", "path", "message"),
    [
        ('"severity": "mild"', "body.severity", "Input should be 'low', 'medium', 'high' or 'critical'"),
        ('"colour": "red"', "body.colour", "Extra inputs are not permitted"),
        ('"tags": ["a", ""]', "body.tags.1", "String should have at least 1 character"),
        ('"timestamp": "2026-03-01T01:30:00"', "body.timestamp", "Input should have timezone info"),
        ('"timestamp": 253402300800', "body.timestamp", "text like 2026-03-01T10:00:00Z is needed"),
        ('"timestamp": "253402300800"', "body.timestamp", "text like 2026-03-01T10:00:00Z is needed"),
        (
            '"timestamp": "0001-01-01T00:00:00+14:00"',
            "body.timestamp",
            "the year must be within 1 to 9999 in UTC",
        ),
        ('"data": {"a": NaN}', "body.data", "numbers must be finite and text must be valid Unicode"),
        ('"data": {"a": "\\u0000"}', "body.data", "U+0000 can't be stored"),
        ('"user_id": "\\u0000"', "body.user_id", "U+0000 can't be stored"),
        (
            f'"data": {{"a": {"[" * 100}{"]" * 100}}}',
            "body.data",
            "at most 100 levels may lie in each other",
        ),
        ('"data": {"a": "\\ud800"}', "body.data", "numbers must be finite and text must be valid Unicode"),
    ],
)
def test_a_wrong_event_is_refused_with_its_path(field: str, path: str, message: str) -> None:
    body = f'{{"type": "error", "source": "shop", {field}}}'
    answer = ask(
        INGESTION,
        "POST",
        "/events/validate",
        content=body,
        headers={**AUTHORIZED, "Content-Type": "application/json"},
    )
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["message"]) == ("unprocessable_entity", "the request is not valid")
    assert error["details"] == [{"path": path, "message": message}]


@pytest.mark.parametrize(
    ("value", "characters"),
    [
        ("1e308", 309),
        ("-1e308", 310),
        ("5e-324", 326),
        ("1.25e-7", 11),
        ("123.0", 5),
        ("12345678901234567890", 20),
        ('"1e+308"', 8),
        ('"\\" 2e+300"', 11),
        ('"😀"', 6),
    ],
)
@pytest.mark.parametrize("field", ["data", "metadata"])
def test_an_event_holds_so_much_with_its_numbers_written_out(field: str, value: str, characters: int) -> None:
    def status(count: int, filling: int) -> tuple[int, list[dict[str, str]]]:
        values = ", ".join([value] * count)
        body = (
            f'{{"type": "error", "source": "shop", "{field}": {{"a": [{values}], "b": "{"x" * filling}"}}}}'
        )
        headers = {**AUTHORIZED, "Content-Type": "application/json"}
        answer = ask(INGESTION, "POST", "/events/validate", content=body.encode(), headers=headers)
        return answer.status_code, answer.json().get("error", {}).get("details")

    around = len('{"a": [], "b": ""}') - len(", ")
    count = (128 * 1024 - around) // (characters + len(", "))
    filling = 128 * 1024 - around - count * (characters + len(", "))
    assert status(count, filling)[0] == 200
    message = "its JSON may have 128 KiB, with numbers written without exponents"
    assert status(count, filling + 1) == (422, [{"path": f"body.{field}", "message": message}])


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("error_rate > 0.05 over 5m", 0.05, False),
        ("error_rate >= 0.05 over 5m", 0.05, True),
        ("count<10 over 1h", 9, True),
        ("  latency_p99 <= -1.5 over 1m ", -1, False),
    ],
)
def test_a_condition_holds(text: str, value: float, holds: bool) -> None:
    assert parse(text).holds(value) is holds


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "a condition looks like `error_rate > 0.05 over 5m`"),
        ("__import__('os').abort() > 1 over 5m", "a condition looks like `error_rate > 0.05 over 5m`"),
        ("error_rate == 0.05 over 5m", "a condition looks like `error_rate > 0.05 over 5m`"),
        ("count > " + "9" * 200 + " over 5m", "a condition looks like `error_rate > 0.05 over 5m`"),
        (7, "a condition looks like `error_rate > 0.05 over 5m`"),
        (
            "rate > 1 over 5m",
            (
                "there is no metric `rate`; "
                "there are count, error_rate, unique_users, latency_p50, latency_p95, latency_p99"
            ),
        ),
        ("count > 1 over 2m", "there is no window `2m`; there are 1m, 5m, 1h"),
    ],
)
def test_what_is_no_condition_is_refused(text: object, complaint: str) -> None:
    with pytest.raises(ConditionError) as raised:
        parse(text)
    assert str(raised.value) == complaint
    answer = ask(ALERTING, "POST", "/conditions/parse", headers=AUTHORIZED, json={"condition": text})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"] == [{"path": "body.condition", "message": complaint}]


def test_a_condition_is_explained() -> None:
    answer = ask(
        ALERTING,
        "POST",
        "/conditions/parse",
        headers=AUTHORIZED,
        json={"condition": "error_rate > 0.05 over 5m"},
    )
    assert answer.json() == {"metric": "error_rate", "comparison": ">", "threshold": 0.05, "window": "5m"}


def test_retention_follows_its_setting() -> None:
    before = datetime.now(UTC)
    answer = ask(
        create_storage(StorageSettings(retention_days=7)), "GET", "/retention", headers=AUTHORIZED
    ).json()
    assert answer["days"] == 7
    cut = datetime.fromisoformat(answer["before"]) + timedelta(days=7)
    assert before <= cut <= datetime.now(UTC)
