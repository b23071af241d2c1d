"""Storage over HTTP: what it answers about the events it has, on every database."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from streamflow.shared.events import Event

from .conftest import KINDS
from .running import NOON, Storage, bearer, ids, made, newest_first, numbered, postgres_database

TYPES = ("web.click", "error", "metric")
SEVERITIES = ("low", "medium", "high", "critical")
POPULATION = tuple(
    made(
        type=TYPES[n % 3],
        source=f"source-{n % 5}",
        severity=SEVERITIES[n % 4],
        timestamp=NOON + timedelta(minutes=n // 2 * 7),  # two at each moment
        data={"n": n},
        user_id=None if n % 6 == 0 else f"user-{n % 6}",
        session_id=None if n % 2 else f"session-{n % 8}",
        correlation_id=f"cause-{n // 10}",
        tags=[f"tag-{m}" for m in range(n % 4)],
    )
    for n in range(60)
)
READS = ("/events", f"/events/{uuid4()}", "/events/aggregations?by=type", "/events/export", "/retention")
SINCE, UNTIL = NOON + timedelta(minutes=49), NOON + timedelta(minutes=140)


@pytest.fixture(scope="module", params=KINDS)
def populated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """Storage with the population, which no test changes."""
    if request.param == "postgres":
        with postgres_database(request.getfixturevalue("servers").port("postgres")) as url:
            yield from _populated(url)
    elif request.param == "file":
        path: Path = tmp_path_factory.mktemp("storage") / "events.db"
        yield from _populated(f"sqlite:///{path}")
    else:
        yield from _populated(None)


def _populated(url: str | None) -> Iterator[Storage]:
    with Storage(url) as running:
        running.wait_until_ready()
        running.store(POPULATION)
        yield running


def passing(holds: Callable[[Event], bool]) -> list[dict[str, Any]]:
    return [event.model_dump(mode="json") for event in newest_first(filter(holds, POPULATION))]


FILTERS: dict[str, tuple[dict[str, str], Callable[[Event], bool]]] = {
    "nothing": ({}, lambda _: True),
    "type": ({"type": "error"}, lambda e: e.type == "error"),
    "source": ({"source": "source-3"}, lambda e: e.source == "source-3"),
    "severity": ({"severity": "high"}, lambda e: e.severity == "high"),
    "user": ({"user_id": "user-5"}, lambda e: e.user_id == "user-5"),
    "session": ({"session_id": "session-4"}, lambda e: e.session_id == "session-4"),
    "correlation": ({"correlation_id": "cause-2"}, lambda e: e.correlation_id == "cause-2"),
    "tag": ({"tag": "tag-1"}, lambda e: "tag-1" in e.tags),
    "since": ({"since": SINCE.isoformat()}, lambda e: e.timestamp >= SINCE),
    "until": ({"until": UNTIL.isoformat()}, lambda e: e.timestamp < UNTIL),
    "another zone": (
        {"since": "2026-03-01T18:19:00+05:30", "until": "2026-03-01T09:20:00-05:00"},
        lambda e: SINCE <= e.timestamp < UNTIL,
    ),
    "several": (
        {"type": "metric", "tag": "tag-0", "since": SINCE.isoformat(), "severity": "medium"},
        lambda e: (
            e.type == "metric" and "tag-0" in e.tags and e.timestamp >= SINCE and e.severity == "medium"
        ),
    ),
    "none": ({"source": "source-9"}, lambda _: False),
}


@pytest.mark.parametrize("name", FILTERS)
class TestFilters:
    def test_a_page_holds_what_passes(self, populated: Storage, name: str) -> None:
        given, holds = FILTERS[name]
        assert populated.get("/events", **given) == {"events": passing(holds), "next": None}

    def test_pages_and_export_hold_the_same(self, populated: Storage, name: str) -> None:
        given, holds = FILTERS[name]
        pages = list(populated.pages(limit=7, **given))
        export = populated.ask("GET", "/events/export", params=given)
        assert [event for page in pages for event in page] == passing(holds)
        assert export.status_code == 200
        assert export.headers["Content-Type"] == "application/x-ndjson"
        assert [json.loads(line) for line in export.text.splitlines()] == passing(holds)

    @pytest.mark.parametrize("by", ["type", "source", "severity", "hour"])
    def test_groups_count_what_passes(self, populated: Storage, name: str, by: str) -> None:
        given, holds = FILTERS[name]
        answer = populated.get("/events/aggregations", by=by, **given)
        counts: dict[str, int] = {}
        for event in passing(holds):
            key = f"{event['timestamp'][:13]}:00:00Z" if by == "hour" else event[by]
            counts[key] = counts.get(key, 0) + 1
        groups = [(group["key"], group["count"]) for group in answer.pop("groups")]
        assert answer == {"by": by, "complete": True}
        assert dict(groups) == counts
        assert groups == (
            sorted(groups, reverse=True) if by == "hour" else sorted(groups, key=lambda g: (-g[1], g[0]))
        )


def test_an_event_by_its_id(populated: Storage) -> None:
    event, missing = POPULATION[17], uuid4()
    answer = populated.ask("GET", f"/events/{missing}", headers={"X-Correlation-ID": "asked"})
    assert populated.get(f"/events/{event.id}") == event.model_dump(mode="json")
    assert answer.status_code == 404
    assert answer.json()["error"] == {
        "code": "not_found",
        "message": f"there is no event {missing}",
        "correlation_id": "asked",
        "details": [],
    }


def cursor_of(packed: bytes) -> str:
    return base64.urlsafe_b64encode(packed).decode()


NO_CURSOR = "not a cursor; `next` of a page's answer is one"


@pytest.mark.parametrize(
    ("path", "wrong", "place", "message"),
    [
        ("/events", {"cursor": "x"}, "query.cursor", NO_CURSOR),
        ("/events", {"cursor": ""}, "query.cursor", NO_CURSOR),
        ("/events", {"cursor": "A" * 31}, "query.cursor", NO_CURSOR),
        ("/events", {"cursor": "A" * 33}, "query.cursor", NO_CURSOR),
        ("/events", {"cursor": "A" * 32 + "\n"}, "query.cursor", NO_CURSOR),
        ("/events", {"cursor": "A" * 31 + "="}, "query.cursor", NO_CURSOR),
        ("/events", {"cursor": "A" * 31 + "/"}, "query.cursor", NO_CURSOR),
        ("/events", {"cursor": "Ä" * 32}, "query.cursor", NO_CURSOR),
        ("/events", {"cursor": "' OR 1=1; --" + "A" * 20}, "query.cursor", NO_CURSOR),
        ("/events", {"cursor": cursor_of(b"\x7f" + b"\xff" * 23)}, "query.cursor", NO_CURSOR),
        ("/events", {"cursor": cursor_of(b"\x80" + b"\0" * 23)}, "query.cursor", NO_CURSOR),
        ("/events", {"limit": "0"}, "query.limit", "Input should be greater than or equal to 1"),
        ("/events", {"limit": "1001"}, "query.limit", "Input should be less than or equal to 1000"),
        ("/events", {"colour": "red"}, "query.colour", "Extra inputs are not permitted"),
        ("/events", {"since": "2026-03-01T12:00:00"}, "query.since", "Input should have timezone info"),
        (
            "/events/export",
            {"until": "0001-01-01T00:00:00+14:00"},
            "query.until",
            "the year must be within 1 to 9999 in UTC",
        ),
        ("/events/export", {"limit": "1"}, "query.limit", "Extra inputs are not permitted"),
        ("/events", {"tag": ""}, "query.tag", "String should have at least 1 character"),
        ("/events", {"source": "a" * 201}, "query.source", "String should have at most 200 characters"),
        ("/events/aggregations", {}, "query.by", "Field required"),
        (
            "/events/aggregations",
            {"by": "data"},
            "query.by",
            "Input should be 'type', 'source', 'severity' or 'hour'",
        ),
        (
            "/events",
            {"severity": "mild"},
            "query.severity",
            "Input should be 'low', 'medium', 'high' or 'critical'",
        ),
    ],
)
def test_what_is_wrong_with_a_question_is_told(
    populated: Storage, path: str, wrong: dict[str, str], place: str, message: str
) -> None:
    answer = populated.ask("GET", path, params=wrong)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["message"]) == ("unprocessable_entity", "the request is not valid")
    assert error["details"] == [{"path": place, "message": message}]


def test_an_id_that_is_none_is_told(populated: Storage) -> None:
    answer = populated.ask("GET", "/events/17")
    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["path"] == "path.event_id"


INJECTIONS = (
    "' OR '1'='1",
    "x'; DROP TABLE events; --",
    "x') UNION SELECT 1,2,3,4,5,6,7,8,9,10,11 --",
    "%",
    "source-_",
    "$1",
    ":source",
    "\\",
    '"]',
    "x\0",
)
TEXTS = ("source", "user_id", "session_id", "correlation_id", "tag")
CLOSED = ("type", "severity", "since", "until", "limit", "cursor", "by")


@pytest.mark.parametrize("injection", INJECTIONS)
@pytest.mark.parametrize("path", ["/events", "/events/export", "/events/aggregations"])
def test_sql_in_a_filter_is_only_text(populated: Storage, path: str, injection: str) -> None:
    needed = {"by": "source"} if path == "/events/aggregations" else {}
    for name in TEXTS:
        answer = populated.ask("GET", path, params=needed | {name: injection})
        if "\0" in injection:
            assert answer.status_code == 422
            assert answer.json()["error"]["details"][0]["path"] == f"query.{name}"
        else:
            assert answer.status_code == 200
            assert answer.content in {
                b"",
                b'{"events":[],"next":null}',
                b'{"by":"source","groups":[],"complete":true}',
            }
    for name in CLOSED:
        answer = populated.ask("GET", path, params=needed | {name: injection})
        assert answer.status_code == 422
    assert len(populated.get("/events", limit=1000)["events"]) == len(POPULATION)


class TestWhoMayAsk:
    @pytest.mark.parametrize("path", READS)
    @pytest.mark.parametrize("headers", [{"Authorization": ""}, {"Authorization": "Bearer e30.e30.e30"}])
    def test_nobody_without_a_token(self, populated: Storage, path: str, headers: dict[str, str]) -> None:
        answer = populated.ask("GET", path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    def test_only_who_may_write_deletes(self, populated: Storage) -> None:
        refused = populated.ask("POST", "/retention/run")
        unknown = populated.ask("POST", "/retention/run", headers={"Authorization": ""})
        assert (refused.status_code, unknown.status_code) == (403, 401)
        assert refused.json()["error"]["message"] == "the token's role is read, and this needs write"
        assert len(populated.get("/events", limit=1000)["events"]) == len(POPULATION)


def test_following_pages_while_events_come_in(storage: Storage) -> None:
    events = numbered(60)
    storage.store(events)
    seen: list[dict[str, Any]] = []
    for number, page in enumerate(storage.pages(limit=7)):
        seen += page
        # Newer than all, older than all, and at the very moment at which this page ended.
        moments = (
            NOON + timedelta(days=1 + number),
            NOON - timedelta(days=1 + number),
            page[-1]["timestamp"],
        )
        if number < 5:
            storage.store(made(timestamp=moment, source="late") for moment in moments)
    assert [event["id"] for event in seen if event["source"] == "shop"] == [
        str(event.id) for event in newest_first(events)
    ]
    assert len({event["id"] for event in seen}) == len(seen)
    assert [event["timestamp"] for event in seen] == sorted(
        (event["timestamp"] for event in seen), reverse=True
    )


def test_a_cursor_of_an_event_that_is_gone_goes_on(storage: Storage) -> None:
    now = datetime.now(UTC)
    old = [made(timestamp=now - timedelta(days=91, seconds=n)) for n in range(3)]
    new = [made(timestamp=now - timedelta(seconds=n)) for n in range(3)]
    storage.store([*old, *new])
    page = storage.get("/events", limit=4)
    storage.ask("POST", "/retention/run", headers=bearer("write"))
    rest = storage.get("/events", limit=4, cursor=page["next"])
    assert ids(page["events"]) == ids([*new, old[0]])
    assert rest == {"events": [], "next": None}


def test_retention_deletes_what_is_older_and_tells_how_many(database_url: str | None) -> None:
    now = datetime.now(UTC)
    kept = [made(timestamp=now - timedelta(days=6, hours=23)), made(timestamp=now + timedelta(days=9))]
    with Storage(database_url, retention_days=7) as storage:
        storage.wait_until_ready()
        storage.wait_until(lambda: "events_deleted_total 0.0" in storage.ask("GET", "/metrics").text)
        storage.store([*kept, *(made(timestamp=now - timedelta(days=7, seconds=1 + n)) for n in range(5))])
        policy = storage.get("/retention")
        first = storage.ask("POST", "/retention/run", headers=bearer("write")).json()
        second = storage.ask("POST", "/retention/run", headers=bearer("write")).json()
        left = storage.get("/events")["events"]

    assert policy["days"] == 7
    assert now <= datetime.fromisoformat(policy["before"]) + timedelta(days=7) <= now + timedelta(minutes=1)
    assert (first["deleted"], second["deleted"]) == (5, 0)
    assert first["before"] >= policy["before"]
    assert set(ids(left)) == set(ids(kept))


def test_retention_runs_by_itself(database_url: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamflow.shared.retention._HOUR_SECONDS", 0.05)
    with Storage(database_url) as storage:
        storage.wait_until_ready()
        storage.store(
            [made(timestamp=datetime.now(UTC) - timedelta(days=91)), made(timestamp=datetime.now(UTC))]
        )
        storage.wait_until(lambda: storage.metric("events_deleted_total") == 1)
        assert len(storage.get("/events")["events"]) == 1


def test_the_document_tells_every_answer() -> None:
    with Storage() as storage:
        document = storage.get("/openapi.json")
    told = {
        (path, method): set(operation["responses"])
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if "operation" not in operation.get("tags", ())
    }
    asked = {"200", "401", "403", "422", "503"}
    assert told == {
        ("/events", "get"): asked,
        ("/events/aggregations", "get"): asked,
        ("/events/export", "get"): asked,
        ("/events/{event_id}", "get"): asked | {"404"},
        ("/retention", "get"): {"200", "401", "403"},
        ("/retention/run", "post"): {"200", "401", "403", "503"},
    }
    exported = document["paths"]["/events/export"]["get"]["responses"]["200"]["content"]
    assert list(exported) == ["application/x-ndjson"]
