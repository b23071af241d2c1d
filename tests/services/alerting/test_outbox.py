"""Claims on the outbox, on both databases: as many as were asked for, and each by one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from streamflow.alerting import outbox
from streamflow.alerting.alerts import Alert
from streamflow.alerting.outbox import Item
from streamflow.alerting.rules import Level
from streamflow.alerting.store import Store, StoreUnavailable

from .desk import until

Stores = Callable[[], Store]
MINUTE = timedelta(minutes=1)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def an_alert() -> Alert:
    return Alert(
        id=uuid4(),
        rule_id=uuid4(),
        rule_name="errors",
        condition="count > 1 over 1m",
        level=Level.LOW,
        state="firing",
        version=1,
        value=2.0,
        window="1m",
        window_start=NOW,
        window_end=NOW + MINUTE,
        fired_at=NOW,
    )


async def filled(store: Store, count: int) -> None:
    """Start the store, and put so many notifications and as many messages for the bus into it."""
    await store.start()

    async def put() -> bool:
        try:
            async with store.transaction() as session:
                for number in range(count):
                    place = ("webhook", f"http://hook/{number}")
                    await outbox.put(session, an_alert(), "fired", (place,), None)
        except StoreUnavailable:
            return False
        return True

    await until(put, 30)


def test_claims_are_of_the_asked_number_and_nobody_elses(store: Stores) -> None:
    async def run() -> None:
        kept = store()
        await filled(kept, 200)

        async def work() -> list[Item]:
            mine: list[Item] = []
            while claimed := await outbox.claim(kept, bus=False, most=3, lease=MINUTE):
                assert len(claimed) <= 3
                mine.extend(claimed)
            return mine

        everybody = [item for mine in await asyncio.gather(*(work() for _ in range(4))) for item in mine]
        assert len(everybody) == 200
        assert len({item.id for item in everybody}) == 200
        assert {item.kind for item in everybody} == {"webhook"}
        (one,) = await outbox.claim(kept, bus=True, most=1, lease=MINUTE)
        assert one.kind == "bus"
        await kept.close()

    asyncio.run(run())


def test_a_claim_ends_with_its_lease_and_has_no_say_from_then_on(store: Stores) -> None:
    async def run() -> None:
        kept = store()
        await filled(kept, 1)

        async def claim(lease: timedelta) -> tuple[Item, ...]:
            return await outbox.claim(kept, bus=False, most=5, lease=lease)

        async def state() -> Any:
            async with kept.transaction() as session:
                (told,) = await outbox.notifications(session, late.alert_id)
            return told.state, told.attempts, told.last_error

        (late,) = await claim(timedelta(seconds=0.2))
        assert await claim(MINUTE) == ()
        await asyncio.sleep(0.3)
        (next_one,) = await claim(MINUTE)
        assert (next_one.id, next_one.attempts) == (late.id, 2)
        await outbox.missed(kept, late, "too late", None)
        assert await state() == ("pending", 2, None)
        await outbox.sent(kept, next_one)
        await outbox.missed(kept, next_one, "too late", None)
        assert await state() == ("sent", 2, None)
        assert await claim(MINUTE) == ()
        await kept.close()

    asyncio.run(run())
