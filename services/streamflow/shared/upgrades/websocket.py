"""WebSockets by websockets, guarded where uvicorn leaves a client without an answer or a server without its end."""

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

_REFUSED = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class WebSocket(WebSocketsSansIOProtocol):
    """uvicorn's, which answers a handshake that can't be read, and whose end is no other connection's."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.handshake_exc is not None and not self.handshake_initiated:
            # No request came of it, so nobody will answer: websockets itself may have said what is wrong.
            self.transport.write(b"".join(self.conn.data_to_send()) or _REFUSED)
            self.handshake_initiated = self.handshake_complete = self.close_sent = True
            self.transport.close()

    def shutdown(self) -> None:
        try:
            super().shutdown()
        except Exception:  # the server asks every connection to end, one after the other
            self.logger.exception("a WebSocket can't be closed in order")
            self.transport.close()
