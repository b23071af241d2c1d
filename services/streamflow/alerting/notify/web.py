"""Webhooks: the alert as JSON, signed, or a line of text as Slack takes it. Redirects are refused."""

import hashlib
import hmac
import json
import time
from http import HTTPStatus

import httpx
from pydantic import SecretStr

from streamflow.alerting.alerts import AlertChange
from streamflow.alerting.notify import Undelivered
from streamflow.alerting.notify.addresses import addresses
from streamflow.alerting.notify.wording import slack_text
from streamflow.alerting.outbox import Item
from streamflow.shared import correlation

SIGNATURE = "X-StreamFlow-Signature"
TIMESTAMP = "X-StreamFlow-Timestamp"
NOTIFICATION = "X-StreamFlow-Notification"


def signature(secret: SecretStr, timestamp: str, body: bytes) -> str:
    """What a receiver computes, too, to know that a webhook is ours and new: an HMAC of `timestamp.body`."""
    signed = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(secret.get_secret_value().encode(), signed, hashlib.sha256).hexdigest()


class Web:
    """Calls webhooks. Use it between entering and leaving it."""

    def __init__(self, secret: SecretStr | None, *, allow_private: bool, seconds: float) -> None:
        self._secret = secret
        self._allow_private = allow_private
        # No proxy: it would resolve the name again. A connection each: hosts are many and calls are few.
        self._client = httpx.AsyncClient(
            timeout=seconds,
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()

    async def webhook(self, item: Item) -> None:
        """POST the change as JSON. Raises Undelivered."""
        body = item.payload.encode()
        headers = {NOTIFICATION: str(item.id)}
        if self._secret is not None:
            timestamp = str(int(time.time()))
            headers |= {TIMESTAMP: timestamp, SIGNATURE: signature(self._secret, timestamp, body)}
        await self._post(item, body, headers)

    async def slack(self, item: Item) -> None:
        """POST the change as text. Raises Undelivered."""
        text = slack_text(AlertChange.model_validate_json(item.payload))
        await self._post(item, json.dumps({"text": text}).encode(), {})

    async def _post(self, item: Item, body: bytes, headers: dict[str, str]) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "StreamFlow-alerting"} | headers
        if item.correlation_id:
            headers[correlation.HEADER] = item.correlation_id
        try:
            url = httpx.URL(item.target.get_secret_value())
        except httpx.InvalidURL as error:
            raise Undelivered("the URL is not valid", final=True) from error
        port = url.port or (443 if url.scheme == "https" else 80)
        host = url.raw_host.decode("ascii")
        last: httpx.HTTPError | None = None
        for address in await addresses(host, port, allow_private=self._allow_private):
            try:
                request = self._client.build_request(
                    "POST",
                    url.copy_with(host=address),
                    content=body,
                    headers=headers | {"Host": url.netloc.decode("ascii")},
                    # The certificate is checked for the name, though the address is called.
                    extensions={"sni_hostname": host},
                )
                # The body is nobody's, and may be endless: it isn't read.
                answer = await self._client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                last = error
                continue
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
                raise Undelivered(f"no answer: {type(error).__name__}") from error
            await answer.aclose()
            _judge(answer.status_code)
            return
        raise Undelivered(f"can't connect: {last or 'no address'}") from last


def _judge(status: int) -> None:
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise Undelivered(f"answered {status}: redirects are not followed")
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        raise Undelivered(f"answered {status}")
