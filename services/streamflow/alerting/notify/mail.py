"""Mail by SMTP."""

import asyncio
import smtplib
import ssl
import threading
from contextlib import suppress
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial
from typing import Any

from streamflow.alerting.alerts import AlertChange
from streamflow.alerting.notify import Undelivered
from streamflow.alerting.notify.threads import aside
from streamflow.alerting.notify.wording import headline, mail_text
from streamflow.alerting.outbox import Item
from streamflow.alerting.settings import Settings

_SENDING_TIMES = 10
"""Where the message itself is on its way, so many times as long as an attempt may take else."""
_FAREWELL_SECONDS = 1.0  # for the answer to a QUIT, which changes nothing any more


class _Attempt:
    """Whether an attempt is given up or the message is on its way: the first of both holds."""

    def __init__(self) -> None:
        self._deciding = threading.Lock()
        self._given_up = self._sending = False

    def give_up(self) -> bool:
        """From now on nothing is sent; False where the message is on its way already."""
        with self._deciding:
            self._given_up = not self._sending
            return self._given_up

    def go_on(self, *, sending: bool) -> None:
        """Go on with what is no message yet, or with it. Raises TimeoutError after it was given up."""
        with self._deciding:
            if self._given_up:
                raise TimeoutError
            self._sending = self._sending or sending


class _Smtp(smtplib.SMTP):
    """Asks its attempt before each command."""

    def __init__(self, attempt: _Attempt, host: str, port: int, *, timeout: float, **encryption: Any) -> None:
        self._attempt = attempt
        self._seconds = timeout
        super().__init__(host, port, timeout=timeout, **encryption)

    def putcmd(self, cmd: str, args: str = "") -> None:
        verb = cmd.lower()
        self._attempt.go_on(sending=verb == "data")
        if self.sock is not None and verb in ("data", "quit"):
            self.sock.settimeout(_FAREWELL_SECONDS if verb == "quit" else self._seconds * _SENDING_TIMES)
        super().putcmd(cmd, args)


class _SmtpSsl(_Smtp, smtplib.SMTP_SSL):
    """The same, encrypted from the beginning."""


class Mail:
    """Sends mails through the server that the settings name."""

    def __init__(self, settings: Settings, *, seconds: float) -> None:
        self._settings = settings
        self._seconds = seconds

    async def send(self, item: Item) -> None:
        """Send the change. Raises Undelivered.

        It takes as long as an attempt may, but is not cut while the message is on its way: that may arrive, and would
        be sent again.
        """
        settings = self._settings
        if settings.smtp_host is None:
            raise Undelivered("no mail server is configured: SMTP_HOST names it", final=True)
        message = _message(settings.smtp_from, item)
        attempt = _Attempt()
        deliver = partial(self._deliver, attempt, settings.smtp_host, message, item.target.get_secret_value())
        try:
            await self._patiently(attempt, asyncio.create_task(aside(deliver)))
        except smtplib.SMTPRecipientsRefused as error:
            raise Undelivered("the mail server refuses the recipient") from error
        except smtplib.SMTPResponseException as error:
            raise Undelivered(f"the mail server answered {error.smtp_code}") from error
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            raise Undelivered(f"the mail server: {str(error) or type(error).__name__}") from error

    async def _patiently(self, attempt: _Attempt, delivering: asyncio.Task[None]) -> None:
        try:
            seconds = self._seconds
            await asyncio.wait({delivering}, timeout=seconds)
            if not delivering.done() and not attempt.give_up():
                seconds *= _SENDING_TIMES
                await asyncio.wait({delivering}, timeout=seconds)
            if not delivering.done():
                raise Undelivered(f"no answer within {seconds:g} s")
            await delivering
        finally:
            attempt.give_up()
            delivering.cancel()

    def _deliver(self, attempt: _Attempt, host: str, message: EmailMessage, recipient: str) -> None:
        settings = self._settings
        context = ssl.create_default_context()
        if settings.smtp_tls == "implicit":
            server: _Smtp = _SmtpSsl(
                attempt, host, settings.smtp_port, timeout=self._seconds, context=context
            )
        else:
            server = _Smtp(attempt, host, settings.smtp_port, timeout=self._seconds)
        try:
            if settings.smtp_tls == "starttls":
                server.starttls(context=context)
            if settings.smtp_user is not None and settings.smtp_password is not None:
                server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
            # Said again, so that nothing is read out of the header, in which an address could hide another one.
            server.send_message(message, to_addrs=[recipient])
            with suppress(
                OSError, smtplib.SMTPException
            ):  # it has the message, whatever it says to a farewell
                server.quit()
        finally:
            server.close()


def _message(sender: str, item: Item) -> EmailMessage:
    change = AlertChange.model_validate_json(item.payload)
    message = EmailMessage()
    message["From"] = sender
    message["To"] = item.target.get_secret_value()
    message["Subject"] = headline(change)
    message["Date"] = format_datetime(change.alert.fired_at)
    message["Message-ID"] = f"<{item.id}@streamflow.alerting>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail_text(change))
    return message
