"""Where a webhook's host leads, and whether it may be called.

Whoever may write rules chooses URLs, and alerting stands inside of the platform's network: without a check it would
call what they can't. The address that was checked is the one that is called, for a name may lead elsewhere a moment
later.
"""

import socket
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from streamflow.alerting.notify import Undelivered
from streamflow.alerting.notify.threads import aside

_TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))  # RFC 6052, RFC 8215


def is_public(address: str) -> bool:
    """Whether this is an address of the internet: not private, loopback, link-local, or one of these in disguise."""
    found = ip_address(address)
    if isinstance(found, IPv6Address):
        inner: IPv4Address | None = found.ipv4_mapped or found.sixtofour
        if inner is not None:
            return is_public(str(inner))
        if found.teredo is not None or any(found in network for network in _TRANSLATED):
            return False
    return found.is_global and not found.is_multicast


async def addresses(host: str, port: int, *, allow_private: bool) -> tuple[str, ...]:
    """The addresses of a host that may be called, at least one. Raises Undelivered."""
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        found = tuple(dict.fromkeys(str(each[4][0]) for each in await aside(look_up)))
    except (OSError, UnicodeError) as error:
        raise Undelivered("the host's name leads nowhere") from error
    # One private address among public ones is one too many.
    if not allow_private and not all(map(is_public, found)):
        raise Undelivered("the host's address is private, and ALLOW_PRIVATE_WEBHOOKS is false", final=True)
    return found
