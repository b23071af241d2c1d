"""The protocols that uvicorn is to speak, of what is installed: httptools is faster, and not every image has it.

uvicorn imports this when it serves; a service by itself needs none of it.
"""

import asyncio

from streamflow.shared.upgrades.h11 import H11

HTTP: type[asyncio.Protocol]
WEBSOCKET: type[asyncio.Protocol] | None

try:
    from streamflow.shared.upgrades.httptools import HttpTools
except ImportError:
    HTTP = H11
else:
    HTTP = HttpTools

try:
    from streamflow.shared.upgrades.websocket import WebSocket
except ImportError:
    WEBSOCKET = None
else:
    WEBSOCKET = WebSocket
