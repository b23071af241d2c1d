"""Which requests become WebSockets, and what becomes of those that ask for another protocol.

A server may ignore an Upgrade (RFC 9110, 7.8). Ours do, unless it is a WebSocket's opening handshake (RFC 6455, 4.1): a
GET without a body. uvicorn's protocols by themselves look at the header alone, lose the body of what asks for h2c, as
`curl --http2` does, and never answer a POST that asks for a WebSocket.
"""

from collections.abc import Iterable


def is_handshake(method: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a request that asks for a WebSocket may: the names of its headers are in small letters."""
    return method == "GET" and not any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in headers
    )
