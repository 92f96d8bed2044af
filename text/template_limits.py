"""A chat template is a program of somebody's: one that does not come to an end is stopped."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SECONDS = 10.0
"""Of computing, for a conversation; a template takes less than a thousandth of it."""


class Endless(Exception):
    """A template that was stopped."""


@contextmanager
def ending() -> Iterator[None]:
    """Raise `Endless` in what computes for too long; outside the main thread nothing can be stopped.

    The process's own computing is counted, so that neither a slow disk nor a stopped process is taken for a loop; and
    the alarm clock (SIGALRM) stays with `--stop_after`.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise Endless(f"it was stopped after {SECONDS:g} seconds, as one that does not end")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
