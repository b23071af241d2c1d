"""The signals that end a run, for all places that answer them or hold them back."""

from __future__ import annotations

import signal


def ending() -> tuple[signal.Signals, ...]:
    """Ctrl-C, ``kill`` and a terminal that is closed, except where the process was started to outlive it (nohup)."""
    outlives = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM) if outlives else (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
