"""Telling people: how a notification reaches a webhook, Slack or a mailbox, and what stops it.

What a notification is called by its receiver: `X-StreamFlow-Notification` on webhooks, the Message-ID of mails. It is
sent at least once; the same id twice is the same notification.
"""

from collections.abc import Awaitable, Callable

from streamflow.alerting.outbox import Item


class Undelivered(Exception):  # noqa: N818  # an outcome, not a mistake
    """It didn't arrive; the text says why, without secrets. `final` means that trying again is no use."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


Deliver = Callable[[Item], Awaitable[None]]
"""Sends one thing, or raises Undelivered."""
