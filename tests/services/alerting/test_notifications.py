"""Notifications, at servers that receive them."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import hashlib
import hmac
import itertools
import socket
from typing import Any

import pytest

from streamflow.alerting.notify.addresses import is_public

from .desk import Hook, MailServer, desk, free_port, until, window

QUICK = {"notification_wait_seconds": 0.05, "notification_timeout_seconds": 2.0}


def webhook(url: str) -> dict[str, Any]:
    return {"channels": [{"kind": "webhook", "url": url}]}


def test_a_webhook_gets_the_alert_signed(hook: Hook) -> None:
    async def run() -> None:
        async with desk(webhook_secret="geheim") as alerting:
            await alerting.add(**webhook(hook.url("/a?b=c", host="localhost")))
            await alerting.publish(window())
            alert = await alerting.fired()
            (told,) = await alerting.notified(alert["id"], "sent")
            (call,) = hook.calls
            assert call.path == "/a?b=c"
            assert call.json == {"alert": alert, "change": "fired"}
            assert call.headers["host"] == hook.url("", host="localhost").removeprefix("http://")
            assert call.headers["content-type"] == "application/json"
            assert call.headers["x-correlation-id"] == "the-cause"
            assert call.headers["x-streamflow-notification"] == told["id"]
            signed = call.headers["x-streamflow-timestamp"].encode() + b"." + call.body
            expected = hmac.new(b"geheim", signed, hashlib.sha256).hexdigest()
            assert call.headers["x-streamflow-signature"] == f"sha256={expected}"
            # The path may be a secret.
            assert told["target"] == hook.url("", host="localhost")
            assert (told["attempts"], told["last_error"], told["change"]) == (1, None, "fired")
            metrics = (await alerting.client.get("/metrics")).text
            assert 'notifications_sent_total{kind="webhook"} 1.0' in metrics

    asyncio.run(run())


def test_without_a_secret_nothing_is_signed(hook: Hook) -> None:
    async def run() -> None:
        async with desk() as alerting:
            await alerting.add(**webhook(hook.url()))
            await alerting.publish(window())
            await alerting.notified((await alerting.fired())["id"], "sent")
            assert "x-streamflow-signature" not in hook.calls[0].headers

    asyncio.run(run())


def test_slack_gets_text_that_calls_nobody(hook: Hook) -> None:
    async def run() -> None:
        async with desk() as alerting:
            await alerting.add(
                name="<!channel> & co", level="high", channels=[{"kind": "slack", "url": hook.url()}]
            )
            await alerting.publish(window())
            await alerting.notified((await alerting.fired())["id"], "sent")
            (call,) = hook.calls
            assert call.json == {
                "text": "[high] &lt;!channel&gt; &amp; co: fired\n"
                "error_rate &gt; 0.1 over 1m, and it was 0.5 "
                "from 2026-03-01 10:00:00 to 2026-03-01 10:01:00 UTC"
            }

    asyncio.run(run())


def test_a_mail_is_sent(mail_server: MailServer) -> None:
    async def run() -> None:
        smtp = {
            "smtp_host": "127.0.0.1",
            "smtp_port": mail_server.port,
            "smtp_tls": "none",
            "smtp_user": "me",
            "smtp_password": "geheim",
            "smtp_from": "StreamFlow <alerts@example.com>",
        }
        async with desk(**smtp) as alerting:
            await alerting.add(name="Ärger", channels=[{"kind": "email", "address": "ann@example.com"}])
            await alerting.publish(window())
            alert = await alerting.fired()
            (told,) = await alerting.notified(alert["id"], "sent")
            (mail,) = mail_server.mails
            assert mail.sender.startswith("FROM:<alerts@example.com>")
            assert mail.recipient == "TO:<ann@example.com>"
            message = email.message_from_string(mail.text, policy=email.policy.default)
            assert message["Subject"] == "[medium] Ärger: fired"
            assert message["From"] == "StreamFlow <alerts@example.com>"
            assert message["To"] == "ann@example.com"
            assert message["Message-ID"] == f"<{told['id']}@streamflow.alerting>"
            assert alert["id"] in message.get_content()
            assert told["target"] == "ann@example.com"
            assert len(mail_server.logins) == 1

    asyncio.run(run())


def test_a_mail_that_is_on_its_way_is_waited_for_and_sent_once(mail_server: MailServer) -> None:
    async def run() -> None:
        mail_server.seconds, mail_server.seconds_to_keep = 0.1, 3.0
        smtp = {"smtp_host": "127.0.0.1", "smtp_port": mail_server.port, "smtp_tls": "none"}
        async with desk(**smtp, notification_wait_seconds=0.05, notification_timeout_seconds=2.0) as alerting:
            await alerting.add(channels=[{"kind": "email", "address": "ann@example.com"}])
            await alerting.publish(window())
            (told,) = await alerting.notified((await alerting.fired())["id"], "sent")
            assert (told["attempts"], told["last_error"]) == (1, None)
            assert len(mail_server.mails) == 1

    asyncio.run(run())


def test_a_mail_that_was_given_up_is_not_sent_after_all(mail_server: MailServer) -> None:
    async def run() -> None:
        mail_server.seconds = 0.2
        smtp = {"smtp_host": "127.0.0.1", "smtp_port": mail_server.port, "smtp_tls": "none"}
        quick = {"notification_wait_seconds": 0.05, "notification_timeout_seconds": 0.5}
        async with desk(**smtp, **quick, notification_attempts=2) as alerting:
            await alerting.add(channels=[{"kind": "email", "address": "ann@example.com"}])
            await alerting.publish(window())
            (told,) = await alerting.notified((await alerting.fired())["id"], "failed")
            assert (told["attempts"], told["last_error"]) == (2, "no answer within 0.5 s")
            await asyncio.sleep(1.5)
            assert mail_server.mails == []

    asyncio.run(run())


def test_a_mail_that_is_refused_is_tried_again_and_then_given_up(mail_server: MailServer) -> None:
    async def run() -> None:
        smtp = {"smtp_host": "127.0.0.1", "smtp_port": mail_server.port, "smtp_tls": "none"}
        async with desk(**smtp, **QUICK, notification_attempts=2) as alerting:
            await alerting.add(channels=[{"kind": "email", "address": "ann@refused.test"}])
            await alerting.publish(window())
            (told,) = await alerting.notified((await alerting.fired())["id"], "failed")
            assert (told["attempts"], told["last_error"]) == (2, "the mail server refuses the recipient")
            assert mail_server.mails == []

    asyncio.run(run())


def test_a_mail_is_not_sent_in_the_open_where_encryption_is_wanted(mail_server: MailServer) -> None:
    async def run() -> None:
        smtp = {"smtp_host": "127.0.0.1", "smtp_port": mail_server.port}
        async with desk(**smtp, **QUICK, notification_attempts=1) as alerting:
            await alerting.add(channels=[{"kind": "email", "address": "ann@example.com"}])
            await alerting.publish(window())
            (told,) = await alerting.notified((await alerting.fired())["id"], "failed")
            assert told["last_error"] == ("the mail server: STARTTLS extension not supported by server.")
            assert mail_server.mails == []

    asyncio.run(run())


def test_without_a_mail_server_a_mail_is_given_up_at_once() -> None:
    async def run() -> None:
        async with desk() as alerting:
            await alerting.add(channels=[{"kind": "email", "address": "ann@example.com"}])
            await alerting.publish(window())
            (told,) = await alerting.notified((await alerting.fired())["id"], "failed")
            assert (told["attempts"], told["last_error"]) == (
                1,
                "no mail server is configured: SMTP_HOST names it",
            )

    asyncio.run(run())


def test_what_fails_is_tried_again_after_growing_waits(hook: Hook) -> None:
    async def run() -> None:
        hook.answers = [500, 429, 404]
        async with desk(notification_wait_seconds=0.4) as alerting:
            await alerting.add(**webhook(hook.url()))
            await alerting.publish(window())
            alert = await alerting.fired()
            (told,) = await alerting.notified(alert["id"], "pending")
            (told,) = await alerting.notified(alert["id"], "sent")
            assert (told["attempts"], told["last_error"]) == (4, None)
            moments = [call.moment for call in hook.calls]
            first, second, third = (b - a for a, b in itertools.pairwise(moments))
            assert first >= 0.4
            assert second >= 0.8
            assert third >= 1.6
            assert len({call.headers["x-streamflow-notification"] for call in hook.calls}) == 1

    asyncio.run(run())


def test_what_fails_too_often_is_given_up_and_says_why(hook: Hook) -> None:
    async def run() -> None:
        hook.answers = [503] * 9
        async with desk(**QUICK, notification_attempts=3) as alerting:
            await alerting.add(**webhook(hook.url("/geheim")))
            await alerting.publish(window())
            (told,) = await alerting.notified((await alerting.fired())["id"], "failed")
            assert (told["attempts"], told["last_error"]) == (3, "answered 503")
            assert len(hook.calls) == 3
            assert "geheim" not in str(told)
            metrics = (await alerting.client.get("/metrics")).text
            assert 'notifications_failed_total{kind="webhook"} 1.0' in metrics

    asyncio.run(run())


def test_a_redirect_is_not_followed(hook: Hook) -> None:
    async def run() -> None:
        hook.answers = [307]
        async with desk(**QUICK, notification_attempts=1) as alerting:
            await alerting.add(**webhook(hook.url()))
            await alerting.publish(window())
            (told,) = await alerting.notified((await alerting.fired())["id"], "failed")
            assert told["last_error"] == "answered 307: redirects are not followed"
            assert [call.path for call in hook.calls] == ["/hook"]

    asyncio.run(run())


def test_a_hook_that_does_not_answer_holds_up_no_other_one(hook: Hook) -> None:
    async def run() -> None:
        hook.answers = [0]
        async with desk(**QUICK, notification_attempts=1) as alerting:
            await alerting.add(**webhook(hook.url("/silent")))
            await alerting.publish(window())
            slow = await alerting.fired()
            await until(hook.called)
            other = await alerting.add(**webhook(hook.url("/other")))
            await alerting.publish(window(1))
            quick = await alerting.fired(rule=other["id"])
            await alerting.notified(quick["id"], "sent")
            (told,) = (await alerting.call("GET", f"/alerts/{slow['id']}"))["notifications"]
            assert told["state"] == "pending"
            (told,) = await alerting.notified(slow["id"], "failed")
            assert told["last_error"] in ("no answer within 2 s", "no answer: ReadTimeout")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("host", "error"),
    [
        ("nobody.invalid", "the host's name leads nowhere"),
        ("127.0.0.1", "can't connect: All connection attempts failed"),
    ],
)
def test_a_host_that_is_away_is_named(host: str, error: str) -> None:
    async def run() -> None:
        async with desk(**QUICK, notification_attempts=1) as alerting:
            await alerting.add(**webhook(f"http://{host}:{free_port()}/geheim"))
            await alerting.publish(window())
            (told,) = await alerting.notified((await alerting.fired())["id"], "failed")
            assert told["last_error"] == error

    asyncio.run(run())


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0", "[::ffff:127.0.0.1]"]
)
def test_private_hosts_are_not_called_outside_of_development(hook: Hook, host: str) -> None:
    async def run() -> None:
        async with desk(environment="production") as alerting:
            await alerting.add(**webhook(hook.url(host=host)))
            await alerting.publish(window())
            (told,) = await alerting.notified((await alerting.fired())["id"], "failed")
            assert told["last_error"] == (
                "the host's address is private, and ALLOW_PRIVATE_WEBHOOKS is false"
            )
            assert hook.calls == []

    asyncio.run(run())


def test_a_setting_allows_private_hosts(hook: Hook) -> None:
    async def run() -> None:
        async with desk(environment="production", allow_private_webhooks=True) as alerting:
            await alerting.add(**webhook(hook.url()))
            await alerting.publish(window())
            await alerting.notified((await alerting.fired())["id"], "sent")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("::ffff:1.1.1.1", True),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff0e::1", False),
        ("::ffff:169.254.169.254", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2001:0:a9fe:a9fe::1", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_an_escalation_tells_its_own_channels(hook: Hook) -> None:
    async def run() -> None:
        async with desk() as alerting:
            await alerting.add(
                level="medium",
                escalate_after_seconds=1,
                escalate_channels=[{"kind": "webhook", "url": hook.url("/boss")}],
                **webhook(hook.url("/team")),
            )
            await alerting.publish(window())
            alert = await alerting.fired()
            told = await alerting.notified(alert["id"], "sent", 2)
            assert [each["change"] for each in told] == ["fired", "escalated"]
            team, boss = hook.calls
            assert (team.path, team.json["change"], team.json["alert"]["level"]) == (
                "/team",
                "fired",
                "medium",
            )
            assert (boss.path, boss.json["change"], boss.json["alert"]["level"]) == (
                "/boss",
                "escalated",
                "high",
            )

    asyncio.run(run())


def test_a_channel_that_is_named_twice_is_told_once(hook: Hook) -> None:
    async def run() -> None:
        async with desk() as alerting:
            channel = {"kind": "webhook", "url": hook.url()}
            await alerting.add(channels=[channel, channel])
            await alerting.publish(window())
            assert len(await alerting.notified((await alerting.fired())["id"], "sent")) == 1

    asyncio.run(run())


def test_the_end_waits_for_no_server_that_hangs() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as stack:
            silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            smtp = {"smtp_host": "127.0.0.1", "smtp_port": silent.getsockname()[1], "smtp_tls": "none"}
            async with desk(**smtp, notification_timeout_seconds=60) as alerting:
                await alerting.add(channels=[{"kind": "email", "address": "ann@example.com"}])
                await alerting.publish(window())
                await alerting.fired()
                silent.settimeout(5)
                connection, _ = await loop.run_in_executor(None, silent.accept)
                stack.enter_context(connection)
                began = loop.time()
            assert loop.time() - began < 5

    asyncio.run(run())
