"""HTTP by h11, which reads the body of what asks for another protocol by itself."""

from uvicorn.protocols.http.h11_impl import H11Protocol

from streamflow.shared.upgrades import is_handshake


class H11(H11Protocol):
    """uvicorn's, which ignores an Upgrade that is no WebSocket's handshake."""

    def _should_upgrade(self) -> bool:
        return (
            self._get_upgrade() == b"websocket"
            and self._should_upgrade_to_ws()
            and is_handshake(self.scope["method"], self.headers)
        )
