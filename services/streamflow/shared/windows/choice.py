"""Where a service keeps windows, by its settings."""

from pydantic import SecretStr

from streamflow.shared.windows import Terms, Windows
from streamflow.shared.windows.memory import MemoryWindows
from streamflow.shared.windows.redis import RedisWindows


def windows_for(url: SecretStr | None, terms: Terms | None = None) -> Windows:
    """In Redis where there is a URL, else in this process."""
    terms = terms or Terms()
    return MemoryWindows(terms) if url is None else RedisWindows(url, terms)
