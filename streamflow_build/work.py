"""Work that several threads do at once, and that the user can interrupt."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Never, TypeVar

from streamflow_build.errors import Interrupted
from streamflow_build.model.signals import ending

_WAKE_SECONDS = 0.2
_END_SECONDS = 10.0

A = TypeVar("A")
R = TypeVar("R")


def together(
    work: Callable[[A], R],
    items: Sequence[A],
    *,
    jobs: int,
    stop: Callable[[Interrupted], None],
    left: Callable[[A], R],
) -> tuple[R, ...]:
    """The work's result for each item, in their order; at most ``jobs`` threads are at it, and begin in that order.

    When the user interrupts, ``stop`` is called and must make all work end; what it results in then counts. Work that
    is still stuck some seconds later is abandoned to the end of the process, and ``left`` gives its result. Raises what
    the work raises, once all of it has ended. Only the main thread may call it, for signals come there.
    """
    pool = ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="work")
    futures: list[Future[R]] = []
    try:
        with _undisturbed():
            futures += [pool.submit(work, item) for item in items]
        # A signal that reached another thread is heeded by this one, Python's first, only when it wakes.
        while wait(futures, timeout=_WAKE_SECONDS).not_done:
            pass
    except Interrupted as interruption:
        stop(interruption)
        wait(futures, timeout=_END_SECONDS)
    pool.shutdown(wait=False)
    return tuple(
        future.result() if future.done() else left(item) for item, future in zip(items, futures, strict=True)
    )


def interrupted(_: object) -> Never:
    """For work without whose result nothing goes on. Raises Interrupted."""
    raise Interrupted("Interrupted.")


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold back the signals that end a run: a pool doesn't wait for a thread whose start was interrupted."""
    came: list[int] = []
    before = {n: signal.signal(n, lambda number, _: came.append(number)) for n in ending()}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
        if came:
            signal.raise_signal(came[0])
