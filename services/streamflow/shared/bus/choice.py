"""Which bus a service uses, by its settings."""

from pydantic import SecretStr

from streamflow.shared.bus import Bus
from streamflow.shared.bus.memory import MemoryBus
from streamflow.shared.bus.rabbit import RabbitBus


def bus_for(url: SecretStr | None) -> Bus:
    """RabbitMQ's where there is a URL, else one inside of this process."""
    return MemoryBus() if url is None else RabbitBus(url)
