"""Running one service as a process: settings, logs, server, and a clean end on SIGTERM."""

import logging
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from streamflow.shared import logs
from streamflow.shared.settings import S, Settings, SettingsError, read

_log = logging.getLogger(__name__)
_LARGEST_FRAME = 1 << 20  # bytes of a WebSocket's message


def run(service: str, settings_type: type[S], create_app: Callable[[S], FastAPI]) -> int:
    """Serve until SIGTERM or SIGINT; the process's exit code: 0 after a clean end, 2 for a wrong setting."""
    on_signals()
    try:
        settings = read(settings_type)
        try_port(settings)
    except SettingsError as error:
        print(f"streamflow {service} cannot start: {error}", file=sys.stderr)  # noqa: T201
        return 2
    logs.configure(service, settings)
    _warn_of_no_bus(settings)
    serve(create_app(settings), settings)
    return 0


def _warn_of_no_bus(settings: Settings) -> None:
    """A service by itself that reaches no other looks well: what it takes in goes nowhere, and nobody notices."""
    if settings.environment != "development" and settings.rabbitmq_url is None:
        _log.warning("RABBITMQ_URL is not set: no other service gets what this one publishes")


def try_port(settings: Settings) -> None:
    """Raises SettingsError where the port can't be had, of which uvicorn would tell in the log alone."""
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as trial:
        # What has just ended there is no obstacle; what listens is.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((settings.host, settings.port))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise SettingsError(f"PORT {settings.port} of {settings.host}: {reason}") from error


def serve(app: FastAPI, settings: Settings) -> None:
    """Serve an app until SIGTERM or SIGINT; returns when the last request has its answer."""
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        http="streamflow.shared.upgrades.choice:HTTP",
        ws="streamflow.shared.upgrades.choice:WEBSOCKET",
        ws_max_size=_LARGEST_FRAME,
        timeout_graceful_shutdown=settings.shutdown_timeout,
    )
    uvicorn.Server(config).run()


def on_signals() -> None:
    """End with 0 on SIGTERM and SIGINT, from now on."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)


def _end(_number: int, _frame: FrameType | None) -> None:
    # While it serves, uvicorn has handlers of its own and ends gracefully; then it raises the signal again
    # for the handler that was there before, this one. To be asked to stop and to stop is success.
    raise SystemExit(0)
