"""Stores for the contract suite, and servers that take notifications."""

from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr

from streamflow.alerting.store import Store
from streamflow.alerting.store.postgres import PostgresStore
from streamflow.alerting.store.sqlite import SqliteStore

from .desk import Hook, MailServer


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest) -> Callable[[], Store]:
    """Makes stores on one database: SQLite's, of which there can only be one, and PostgreSQL's."""
    if request.param == "sqlite":
        return SqliteStore
    url = SecretStr(request.getfixturevalue("postgres_url"))
    return lambda: PostgresStore(url)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook().running() as running:
        yield running


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with MailServer().running() as running:
        yield running
