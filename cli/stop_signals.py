"""Signals and time limits that end a command in order: what was trained is saved, and the exit code tells the truth."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ..errors import InputError
from .terminal import laid_out

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
STARTED = time.monotonic()
"""When the command began, nearly; what `--stop_after` counts from."""
TIME_LIMIT, SLURM_LIMIT = 100, 101
"""Reasons to stop beside the numbers of signals."""
UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}


class Interrupted(SystemExit):
    """Something outside asked the command to stop, and it did.

    Args:
        reason: a signal's number, `TIME_LIMIT` or `SLURM_LIMIT`.
        message: what was saved and how to go on, once that is known.
    """

    def __init__(self, reason: int, message: str | None = None) -> None:
        super().__init__(exit_code(reason))
        self.reason = reason
        self.message = message
        self.told = False

    def __str__(self) -> str:
        return name_of(self.reason)

    def tell(self, otherwise: str = "nothing was saved") -> None:
        """Print the one line about it, once."""
        if not self.told:
            self.told = True
            print(laid_out(f"Stopped by {self}: {self.message or otherwise}."), file=sys.stderr, flush=True)


def name_of(reason: int) -> str:
    """Return what a reason is called in messages."""
    named = {TIME_LIMIT: "the time limit (--stop_after)", SLURM_LIMIT: "Slurm's time limit"}
    return named.get(reason) or signal.Signals(reason).name


def exit_code(reason: int) -> int:
    """128 and the signal's number, as shells have it; a time limit counts as SIGTERM, which would come next."""
    return 128 + (int(signal.SIGTERM) if reason in (TIME_LIMIT, SLURM_LIMIT) else reason)


class StopRequests:
    """What signals have asked for in this process.

    Most of a command breaks off at once. Training has something to save: it sets `deferred`, asks for `asked` where it
    can stop, and stops there. The second Ctrl-C ends the process at once in any case.
    """

    def __init__(self) -> None:
        self.deferred = False
        self.held = False
        self.asked: int | None = None
        self.on_abort: Callable[[], None] = lambda: None

    def reset(self) -> None:
        """Forget what an earlier command in this process was asked."""
        self.__init__()  # type: ignore[misc]

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Have what is asked within answered at the end: for what takes no time, and must not be left half done."""
        before, self.held = self.asked, True
        try:
            yield
        finally:
            self.held = False
        if before is None and self.asked is not None and not self.deferred:
            raise Interrupted(self.asked)

    def handle(self, number: int, frame: FrameType | None = None) -> None:
        """Handle a signal, whichever it is."""
        again, self.asked = self.asked is not None, number if self.asked is None else self.asked
        if again and number == signal.SIGINT:
            self.on_abort()
            os.write(2, b"Stopped at once.\n")
            os._exit(exit_code(number))
        if self.held:
            return
        if not self.deferred:
            if not again:
                raise Interrupted(number)
        elif not again:
            more = "; once more stops at once" if number == signal.SIGINT else ""
            os.write(2, f"\n{name_of(number)}: saving as soon as the step is done{more}.\n".encode())


requests = StopRequests()
"""Those of this process: signals come to a process, not to an object."""


@contextmanager
def handling_signals() -> Iterator[None]:
    """Handle signals while a command runs, and leave everything as it was.

    Signals that the parent has ignored (SIGHUP under nohup) stay so. Does nothing outside the main thread, where Python
    takes no handlers, and within another command.
    """
    try:
        kept: dict[int, Any] = {number: signal.getsignal(number) for number in SIGNALS}
        nested = requests.handle in kept.values()
        ours = [] if nested else [number for number, handler in kept.items() if handler is not signal.SIG_IGN]
        if not nested:
            requests.reset()
        for number in ours:
            signal.signal(number, requests.handle)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, kept[number])


def _in_forked_child() -> None:
    """Leave the decision to the parent: a worker killed by a signal that all got would end the training unsaved.

    Ctrl-C, `timeout`, Slurm and systemd signal every process there is. SIGTERM ends a worker if the parent sent it.
    """
    if signal.getsignal(signal.SIGTERM) != requests.handle:
        return
    for number in SIGNALS:
        if signal.getsignal(number) == requests.handle:
            signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid not in (os.getppid(), os.getpid()):
        pass
    os._exit(exit_code(signal.SIGTERM))


os.register_at_fork(after_in_child=_in_forked_child)


def seconds_of(duration: str | int | None) -> float | None:
    """Return the seconds of `90m`, `1h30m`, `01:30:00`, `1:00:00:00` (with days) or of a number of seconds.

    Raises:
        InputError: if it is none of these.
    """
    if duration is None:
        return None
    text = str(duration).strip()
    if re.fullmatch("[0-9]{1,9}", text) and int(text) > 0:
        return float(text)
    if re.fullmatch(r"(\d+:)?\d+:[0-5]?\d:[0-5]?\d", text):
        parts = [int(part) for part in text.split(":")]
        seconds = float(sum(n * unit for n, unit in zip(reversed(parts), (1, 60, 3600, 86400), strict=False)))
    elif re.fullmatch(r"(\d+(\.\d+)?[dhms])+", text):
        seconds = sum(float(n) * UNITS[unit] for n, unit in re.findall(r"([\d.]+)([dhms])", text))
    else:
        seconds = 0.0
    if seconds <= 0:
        raise InputError(f"--stop_after is {text!r}; 90m, 1h30m or 01:30:00 (hours, minutes, seconds) would work.")
    return seconds
