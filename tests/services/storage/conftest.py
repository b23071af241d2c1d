"""Databases of every kind that storage runs on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .running import Storage, postgres_database

KINDS = ("memory", "file", "postgres")


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str | None]:
    """The URL of an empty database; None is SQLite in memory."""
    if request.param == "postgres":
        with postgres_database(request.getfixturevalue("servers").port("postgres")) as url:
            yield url
    else:
        yield None if request.param == "memory" else f"sqlite:///{tmp_path / 'events.db'}"


@pytest.fixture
def storage(database_url: str | None) -> Iterator[Storage]:
    """Storage on an empty database."""
    with Storage(database_url) as running:
        running.wait_until_ready()
        yield running
