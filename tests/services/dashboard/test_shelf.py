"""Where dashboards are kept: the same on Redis and in the process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from streamflow.dashboard import boards
from streamflow.dashboard.boards import Dashboard, EventFilter
from streamflow.dashboard.shelf import Shelf, ShelfUnavailable
from streamflow.dashboard.shelf.choice import shelf_for
from streamflow.dashboard.shelf.redis import RedisShelf

from ..servers import free_port

Use = Callable[[Callable[[Shelf], Awaitable[None]]], None]


@pytest.fixture(params=["memory", "redis"])
def use(request: pytest.FixtureRequest) -> Use:
    """Do something with an empty shelf."""
    url = SecretStr(request.getfixturevalue("redis_url")) if request.param == "redis" else None

    def with_shelf(work: Callable[[Shelf], Awaitable[None]]) -> None:
        async def opened() -> None:
            shelf = shelf_for(url)
            try:
                await work(shelf)
            finally:
                await shelf.close()

        asyncio.run(opened())

    return with_shelf


def board(board_id: UUID | None = None, name: str = "Night watch", version: int = 1) -> Dashboard:
    now = datetime.now(UTC)
    return Dashboard(
        id=board_id or uuid4(),
        name=name,
        panels=("alerts", "rate"),
        window="5m",
        filter=EventFilter(source="shop"),
        version=version,
        created_at=now,
        updated_at=now,
    )


def test_what_is_kept_is_found_as_it_was(use: Use) -> None:
    async def work(shelf: Shelf) -> None:
        one, other = board(), board(name="Ümläut ☂")
        assert await shelf.all() == ()
        assert [await shelf.add(each) for each in (one, other)] == ["done", "done"]
        assert await shelf.get(one.id) == one
        assert await shelf.get(uuid4()) is None
        assert set(await shelf.all()) == {one, other}

    use(work)


def test_a_version_follows_the_one_before_it_only(use: Use) -> None:
    async def work(shelf: Shelf) -> None:
        first = board()
        assert await shelf.replace(board(first.id, version=2)) == "missing"
        await shelf.add(first)
        second, another = (board(first.id, name, version=2) for name in ("second", "another"))
        assert await shelf.replace(second) == "done"
        assert await shelf.replace(another) == "changed"
        assert await shelf.get(first.id) == second

    use(work)


def test_what_is_removed_is_gone(use: Use) -> None:
    async def work(shelf: Shelf) -> None:
        one = board()
        await shelf.add(one)
        assert [await shelf.remove(one.id) for _ in range(2)] == ["done", "missing"]
        assert await shelf.all() == ()

    use(work)


def test_there_is_room_for_so_many(use: Use) -> None:
    async def work(shelf: Shelf) -> None:
        kept = [board() for _ in range(boards.MOST)]
        assert {await shelf.add(each) for each in kept} == {"done"}
        assert await shelf.add(board()) == "full"
        assert await shelf.replace(board(kept[0].id, version=2)) == "done"
        await shelf.remove(kept[1].id)
        assert await shelf.add(board()) == "done"

    use(work)


def test_of_changes_at_the_same_time_one_is_kept(use: Use) -> None:
    async def work(shelf: Shelf) -> None:
        one = board()
        await shelf.add(one)
        changes = [board(one.id, name=str(number), version=2) for number in range(10)]
        outcomes = await asyncio.gather(*map(shelf.replace, changes))
        assert sorted(outcomes) == ["changed"] * 9 + ["done"]
        assert await shelf.get(one.id) == changes[outcomes.index("done")]

    use(work)


def test_without_redis_each_call_says_so() -> None:
    async def work() -> None:
        shelf = RedisShelf(SecretStr(f"redis://127.0.0.1:{free_port()}"))
        one = board()
        for call in (shelf.all, lambda: shelf.get(one.id), lambda: shelf.add(one), lambda: shelf.replace(one),
                     lambda: shelf.remove(one.id)):  # fmt: skip
            with pytest.raises(ShelfUnavailable, match="Redis doesn't answer"):
                await call()
        await shelf.close()

    asyncio.run(work())
