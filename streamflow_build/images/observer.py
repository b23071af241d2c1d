"""How a run tells what happens. The run knows no terminal; whoever draws or records it implements this."""

from __future__ import annotations

from typing import Protocol

from streamflow_build.engine.interface import BuildEvent
from streamflow_build.model.report import ImagesReport, Outcome


class RunObserver(Protocol):
    """Told of a run as it happens, from any thread, several at once. No method raises or blocks for long."""

    def base_pull(self, base: str, layer: str, current: int, total: int) -> None:
        """Bytes done of a layer of a base, which is named by its reference; ``total`` is 0 where unknown."""

    def service_started(self, service: str, reason: str) -> None:
        """The service's build begins; ``reason`` says why it isn't up to date."""

    def event(self, service: str, event: BuildEvent) -> None:
        """Something happened in the service's build."""

    def service_finished(self, outcome: Outcome) -> None:
        """What became of a service; comes once for each, also for one whose build never began."""

    def note(self, text: str) -> None:
        """Something that the user should know now, in a sentence."""

    def run_finished(self, report: ImagesReport) -> None:
        """The run is over; nothing follows. It doesn't come where the run broke off with an error."""
