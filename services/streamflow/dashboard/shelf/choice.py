"""Where dashboards are kept, by the service's settings."""

from pydantic import SecretStr

from streamflow.dashboard.shelf import Shelf
from streamflow.dashboard.shelf.memory import MemoryShelf
from streamflow.dashboard.shelf.redis import RedisShelf


def shelf_for(url: SecretStr | None) -> Shelf:
    """In Redis where there is a URL, else in this process."""
    return MemoryShelf() if url is None else RedisShelf(url)
