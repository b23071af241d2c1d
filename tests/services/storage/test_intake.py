"""From the bus into the database: each event once, and what can't be stored among the dead letters."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from uuid import uuid4

import pytest

from streamflow.shared.wire import dump

from .running import Storage, ids, made, newest_first, numbered, run_on_postgres

# Statements that make the database refuse each event, as on a full disk, and that end that.
REFUSAL = {
    "sqlite": (
        "CREATE TRIGGER full_disk BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
        "DROP TRIGGER full_disk",
    ),
    "postgres": (
        """
        CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$;
        CREATE TRIGGER full_disk BEFORE INSERT ON events EXECUTE FUNCTION full_disk()
        """,
        "DROP TRIGGER full_disk ON events",
    ),
}


def execute(url: str, statements: str) -> None:
    """Do what they say, past the service."""
    if url.startswith("postgres"):
        run_on_postgres(url, statements)
        return
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        database.execute(statements)


def test_events_are_stored_and_counted(storage: Storage) -> None:
    events = numbered(30)
    storage.store(events)
    assert ids(storage.get("/events")["events"]) == ids(newest_first(events))
    assert storage.metric("events_stored_total") == 30
    assert storage.metric("store_batch_events_count") == 1
    assert storage.metric("store_batch_events_sum") == 30
    assert storage.metric("store_batch_seconds_count") == 1


def test_events_that_come_again_change_nothing(storage: Storage) -> None:
    events = numbered(30)
    storage.publish(dump((*events[:10], *events[:10])), dump(events[5:15]))  # in a message, in a batch
    storage.wait_until(lambda: storage.handled() == 30)
    storage.store(events)  # and later
    assert ids(storage.get("/events")["events"]) == ids(newest_first(events))
    assert storage.metric("events_stored_total") == 30
    assert storage.metric("events_duplicate_total") == 30
    assert storage.metric("events_dead_total") == 0
    assert storage.letters() == ()


def test_poison_is_put_aside_with_its_reason(storage: Storage) -> None:
    good = numbered(4)
    mixed = [json.loads(event.model_dump_json()) for event in good[2:]]
    mixed.insert(1, {"type": "web.click", "source": "", "id": str(uuid4())})
    storage.publish(
        dump(good[:1]),
        b"\xff\xfe",
        b"{}",
        json.dumps(mixed).encode(),
        b"[17]",
        b"[" * 100_000,
        dump(good[1:2]),
    )
    storage.wait_until(lambda: storage.handled() == 9)
    letters = storage.letters()

    assert ids(storage.get("/events")["events"]) == ids(newest_first(good))
    assert storage.metric("events_dead_total") == 5
    assert [letter.queue for letter in letters] == ["storage.events"] * 5
    reasons = [letter.reason for letter in letters]
    assert reasons[0].startswith("not JSON: ")
    assert reasons[1] == "not a JSON array of events"
    assert reasons[2] == "not an event: source: String should have at least 1 character"
    assert reasons[3].startswith("not an event: it: ")
    assert reasons[4] == "not an event: nested too deeply"
    assert json.loads(letters[2].message.body) == [mixed[1]]


def test_what_cannot_be_stored_is_put_aside_alone(storage: Storage) -> None:
    good, bad = numbered(40), made().model_copy(update={"data": {"text": "a\0b"}})
    storage.store((*good[:20], bad, *good[20:]))
    (letter,) = storage.letters()
    assert letter.message.body == json.dumps(json.loads(dump((bad,)))).encode()
    assert letter.reason == "not an event: data: Value error, U+0000 can't be stored"
    assert storage.metric("events_dead_total") == 1
    storage.store(numbered(2))
    assert set(ids(good)) <= set(ids(storage.get("/events", limit=1000)["events"]))


def test_many_large_messages(storage: Storage) -> None:
    events = numbered(5000, metadata={"filling": "x" * 200})
    storage.publish(*(dump(events[start : start + 1000]) for start in range(0, 5000, 1000)))
    storage.wait_until(lambda: storage.handled() == 5000)
    assert ids(event for page in storage.pages(limit=1000) for event in page) == ids(newest_first(events))


@pytest.mark.parametrize("database_url", ["file", "postgres"], indirect=True)
def test_readiness_tells_of_a_database_that_can_only_be_read(storage: Storage, database_url: str) -> None:
    refuse, allow = REFUSAL["postgres" if database_url.startswith("postgres") else "sqlite"]
    storage.store(numbered(2))
    execute(database_url, refuse)
    storage.publish(dump((event := made(),)))
    storage.wait_until(lambda: storage.ask("GET", "/ready").status_code == 503)
    (check,) = storage.ask("GET", "/ready").json()["checks"].values()
    assert check == {"status": "unavailable", "reason": "the disk is full"}
    assert len(storage.get("/events")["events"]) == 2

    execute(database_url, allow)
    storage.wait_until_ready()
    assert storage.get(f"/events/{event.id}")["id"] == str(event.id)
