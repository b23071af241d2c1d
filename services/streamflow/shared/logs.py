"""Logs: one JSON object a line on standard output, the server's own and Python's warnings included."""

import json
import logging
import re
import sys
from datetime import UTC, datetime

from streamflow import __version__
from streamflow.shared import correlation
from streamflow.shared.settings import Settings

# Browsers can give a WebSocket its token in the address alone, which the server tells of.
_TOKEN = re.compile(r"(access_token=)[^&\s\"']+")
_encode = json.JSONEncoder(default=str).encode  # json.dumps would make an encoder for each line


class JsonFormatter(logging.Formatter):
    """A record as one JSON object. `extra={"fields": {...}}` adds keys of its own."""

    def __init__(self, service: str, environment: str) -> None:
        super().__init__()
        self._common = {"service": service, "version": __version__, "environment": environment}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _harmless(record.getMessage()),
            **self._common,
        }
        if (correlation_id := correlation.current()) is not None:
            line["correlation_id"] = correlation_id
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = _harmless(self.formatException(record.exc_info))
        return _encode(line)


def _harmless(text: str) -> str:
    return _TOKEN.sub(r"\1***", text) if "access_token=" in text else text


def configure(service: str, settings: Settings) -> None:
    """Send every logger of this process to standard output as JSON."""
    output = logging.StreamHandler(sys.stdout)
    output.setFormatter(JsonFormatter(service, settings.environment))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[output], force=True)
    logging.captureWarnings(capture=True)
    # What no line tells is not found out: https://docs.python.org/3.11/howto/logging.html#optimization
    logging._srcfile = None  # noqa: SLF001
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # These tell each request or connection attempt they make; readiness reports what fails.
    for chatty in ("httpx", "httpcore", "aiormq", "aio_pika"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
