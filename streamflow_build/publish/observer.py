"""How a run tells what happens. The run knows no terminal; whoever draws or records it implements this."""

from __future__ import annotations

from typing import Protocol

from streamflow_build.model.release import Missing, Published, PublishReport


class PublishObserver(Protocol):
    """Told of a run as it happens, from any thread, several at once. No method raises or blocks for long."""

    def sending(self, service: str, current: int, total: int) -> None:
        """Bytes of the service's image that are sent, of those to send as far as known; compressed."""

    def service_finished(self, outcome: Published | Missing) -> None:
        """The service's version is there and verified, or can't be; comes once for each, before floating tags."""

    def note(self, text: str) -> None:
        """Something that the user should know now, such as another attempt."""

    def run_finished(self, report: PublishReport) -> None:
        """The run is over; nothing follows. It doesn't come where the run broke off with an error."""
