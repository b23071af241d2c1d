"""HTTP by httptools, which takes all that follows an Upgrade for the other protocol."""

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from streamflow.shared.upgrades import is_handshake


class HttpTools(HttpToolsProtocol):
    """uvicorn's, which ignores an Upgrade that is no WebSocket's handshake.

    The parser stops behind the head of a request with an Upgrade. One that is ignored is read again without it, and
    only then handed on. A CONNECT stops it, too, and has no body in any case.
    """

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserError:
                self.logger.warning("Invalid HTTP request received.")
                self.send_400_response("Invalid HTTP request received.")
            except httptools.HttpParserUpgrade as stop:
                if self._should_upgrade():
                    self.handle_websocket_upgrade()
                elif self._is_ignored():
                    data = self._head() + data[stop.args[0] :]
                    # A new one: what is done with a `Connection: close` reads no more.
                    self.parser = httptools.HttpRequestParser(self)
                    self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                    continue
            return

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            self.scope["method"] = self.parser.get_method().decode("ascii")
            if self._is_ignored():
                return
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if not (self.parser.should_upgrade() and self._is_ignored()):
            super().on_message_complete()

    def _should_upgrade(self) -> bool:
        return super()._should_upgrade() and is_handshake(self.scope["method"], self.headers)

    def _is_ignored(self) -> bool:
        return self.scope["method"] != "CONNECT" and not self._should_upgrade()

    def _head(self) -> bytes:
        """The head that was read last, without its Upgrade."""
        version = self.parser.get_http_version()
        lines = [f"{self.scope['method']} ".encode(), self.url, f" HTTP/{version}\r\n".encode()]
        for name, value in self.headers:
            if name == b"connection":
                options = [option.strip() for option in value.split(b",")]
                kept = b", ".join(option for option in options if option.lower() != b"upgrade")
                lines += [name, b": ", kept, b"\r\n"]
            elif name != b"upgrade":
                lines += [name, b": ", value, b"\r\n"]
        return b"".join([*lines, b"\r\n"])
