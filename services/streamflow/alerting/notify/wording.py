"""What people read about an alert."""

from streamflow.alerting.alerts import Alert, AlertChange


def headline(change: AlertChange) -> str:
    """One line."""
    alert = change.alert
    what = "nobody acknowledged it" if change.change == "escalated" else change.change
    return f"[{alert.level}] {alert.rule_name}: {what}"


def slack_text(change: AlertChange) -> str:
    """For Slack, where a name must not become a link or call everybody.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    text = f"{headline(change)}\n{_figures(change.alert)}"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mail_text(change: AlertChange) -> str:
    """The body of a mail."""
    alert = change.alert
    return (
        f"{headline(change)}\n\n{_figures(alert)}\nFired: {alert.fired_at.isoformat()}\nAlert: {alert.id}\n"
    )


def _figures(alert: Alert) -> str:
    start, end = (moment.strftime("%Y-%m-%d %H:%M:%S") for moment in (alert.window_start, alert.window_end))
    return f"{alert.condition}, and it was {alert.value:g} from {start} to {end} UTC"
