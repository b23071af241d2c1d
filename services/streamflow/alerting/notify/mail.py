"""Mail by SMTP."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial

from streamflow.alerting.alerts import AlertChange
from streamflow.alerting.notify import Undelivered
from streamflow.alerting.notify.threads import aside
from streamflow.alerting.notify.wording import headline, mail_text
from streamflow.alerting.outbox import Item
from streamflow.alerting.settings import Settings


class Mail:
    """Sends mails through the server that the settings name."""

    def __init__(self, settings: Settings, *, seconds: float) -> None:
        self._settings = settings
        self._seconds = seconds

    async def send(self, item: Item) -> None:
        """Send the change. Raises Undelivered."""
        settings = self._settings
        if settings.smtp_host is None:
            raise Undelivered("no mail server is configured: SMTP_HOST names it", final=True)
        message = _message(settings.smtp_from, item)
        try:
            await aside(partial(self._deliver, settings.smtp_host, message, item.target.get_secret_value()))
        except smtplib.SMTPRecipientsRefused as error:
            raise Undelivered("the mail server refuses the recipient") from error
        except smtplib.SMTPResponseException as error:
            raise Undelivered(f"the mail server answered {error.smtp_code}") from error
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            raise Undelivered(f"the mail server: {str(error) or type(error).__name__}") from error

    def _deliver(self, host: str, message: EmailMessage, recipient: str) -> None:
        settings = self._settings
        context = ssl.create_default_context()
        if settings.smtp_tls == "implicit":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, settings.smtp_port, timeout=self._seconds, context=context
            )
        else:
            server = smtplib.SMTP(host, settings.smtp_port, timeout=self._seconds)
        with server:
            if settings.smtp_tls == "starttls":
                server.starttls(context=context)
            if settings.smtp_user is not None and settings.smtp_password is not None:
                server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
            # Said again, so that nothing is read out of the header, in which an address could hide another one.
            server.send_message(message, to_addrs=[recipient])


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
