"""Which database alerting uses, by its settings."""

from pydantic import SecretStr

from streamflow.alerting.store import Store
from streamflow.alerting.store.postgres import PostgresStore
from streamflow.alerting.store.sqlite import SqliteStore

_FILE = "sqlite:///"


def store_for(url: SecretStr | None) -> Store:
    """PostgreSQL where there is a URL of a server, SQLite where there is one of a file, else SQLite in memory."""
    if url is None:
        return SqliteStore()
    address = url.get_secret_value()
    return SqliteStore(address.removeprefix(_FILE)) if address.startswith(_FILE) else PostgresStore(url)
