"""How far a long work is: a bar in a terminal, a plain line now and then anywhere else, nothing under three seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar

from lightning_utilities.core import rank_zero

PATIENCE = 3.0
"""Seconds without a sign of life."""
LINES_EVERY = 30.0
"""Seconds between two lines where there is no terminal."""
DRAWN_EVERY = 0.2
"""Seconds between two pictures of a bar."""
Item = TypeVar("Item")


class Bar:
    """Tells of one work; of several within each other the outermost alone.

    Args:
        what: is done, such as `tokenizing train`.
        total: how much there is to do; None where nobody knows.
        unit: of what is counted.
    """

    _shown: Bar | None = None
    """The bar that stands in the terminal: there is room for one."""

    counted_at = 0.0
    """When a bar last counted something."""

    def __init__(self, what: str, total: int | None = None, unit: str = "") -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done, self.note = 0, ""
        self.began = self._told = time.monotonic()
        self._next = self.began + PATIENCE
        self._bar: Any = None
        self._lines = 0

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(kind is None)

    def close(self, well: bool = True) -> None:
        """Take the bar away, or write the last line where there were others.

        Args:
            well: whether the work came to its end.
        """
        if self._bar is not None:
            self._bar.stop()
            self._bar, Bar._shown = None, None
        elif self._lines and well:
            rank_zero.log.info(f"{self.what}: done, {self._count()}in {spoken(time.monotonic() - self.began)}.")

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count what was done, and show it if it is time to.

        Args:
            count: more is done now.
            note: stands behind the numbers.
        """
        self.done, self.note = self.done + count, note or self.note
        now = time.monotonic()
        if count:
            Bar.counted_at = now
        if now >= self._next:
            self.show()

    def show(self) -> None:
        """Draw the bar, or write a line."""
        if getattr(rank_zero.rank_zero_only, "rank", 0):
            self._next = float("inf")  # all processes would say the same
            return
        if self._bar is None and not self._lines and Bar._shown is None:
            self._bar = _terminal_bar(self)
            Bar._shown = self if self._bar is not None else None
        elif Bar._shown not in (None, self):
            self._next = time.monotonic() + PATIENCE
            return
        if self._bar is not None:
            self._next = time.monotonic() + DRAWN_EVERY
            self._bar.update(self._bar.task_ids[0], completed=self.done, total=self.total, note=self.note)
            self._bar.refresh()
            return
        self._lines += 1
        self._next = time.monotonic() + LINES_EVERY
        rank_zero.log.info(f"{self.what}: {self.said()}.")

    def said(self) -> str:
        """Return what is done, what is left and how long it takes, in words."""
        passed = time.monotonic() - self.began
        left = ""
        if self.total and self.done:
            left = f", about {spoken(passed * max(0, self.total - self.done) / self.done)} left"
        return f"{self._count()}{spoken(passed)} so far{left}"

    def _count(self) -> str:
        if not self.done and self.total is None:
            return ""
        known = f" of {self.total:,} ({100 * self.done / max(1, self.total):.0f}%)" if self.total is not None else ""
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.done:,}{known}{unit}{f', {self.note}' if self.note else ''}, "


def _terminal_bar(bar: Bar) -> Any:
    """Return rich's bar, begun; None where there is no terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if not console.is_terminal:
        return None
    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(bar_width=20)]
    if bar.unit or bar.total is not None:
        columns += [MofNCompleteColumn(), TextColumn(f"{bar.unit} {{task.fields[note]}}")]
    columns.append(TimeElapsedColumn())
    if bar.total is not None:
        columns += [TextColumn("left"), TimeRemainingColumn()]
    # Drawn by whoever works: another thread would do it while a message is on its way, and rub the message out.
    drawn = Progress(*columns, console=console, transient=True, auto_refresh=False)
    drawn.start()
    task = drawn.add_task(bar.what, total=bar.total, note=bar.note)
    drawn.tasks[0].start_time = drawn.get_time() - (time.monotonic() - bar.began)
    assert task == drawn.task_ids[0]
    return drawn


def progress(items: Iterable[Item], what: str, total: int | None = None, unit: str = "documents") -> Iterator[Item]:
    """Hand items through, and show how many there were.

    Args:
        items: any; of texts, their characters are counted, too.
        what: is done with them.
        total: how many there are, where that is known.
        unit: what they are.
    """
    characters = 0
    with Bar(what, total, unit) as bar:
        for item in items:
            yield item
            if isinstance(item, str):
                characters += len(item)
                bar.advance(1, f"{characters / 1e6:.1f} M characters")
            else:
                bar.advance(1)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show how long a work takes that tells nothing of itself.

    Args:
        what: is done.
    """
    done = threading.Event()
    with Bar(what) as bar:

        def watch() -> None:
            while not done.wait(DRAWN_EVERY):
                if time.monotonic() - Bar.counted_at >= PATIENCE:  # what is within counts nothing, either
                    bar.advance(0)

        watching = threading.Thread(target=watch, daemon=True)
        watching.start()
        try:
            yield
        finally:
            done.set()
            watching.join()


class Rounds:
    """Long works that tell of themselves, one after another: what is left of them.

    Args:
        total: how many there are.
    """

    def __init__(self, total: int) -> None:
        self.total, self.number, self.worked = total, 0, 0
        self.spent = 0.0
        self._began: float | None = None

    def next(self) -> str:
        """Begin the next one; return which it is, and how long those that are left will take."""
        self.stop()
        self.number += 1
        self._began = time.monotonic()
        left = self.spent / self.worked * (self.total - self.number + 1) if self.worked else 0
        return f"{self.number} of {self.total}" + (f", about {spoken(left)} left" if left >= PATIENCE else "")

    def skip(self) -> None:
        """Count one that was done before, and took no time."""
        self.number, self._began = self.number + 1, None

    def stop(self) -> None:
        """Note how long the one took that was begun."""
        if self._began is not None:
            self.spent, self.worked = self.spent + time.monotonic() - self._began, self.worked + 1
            self._began = None


def spoken(seconds: float) -> str:
    """Return a time as people say it: `48 s`, `3 min`, `2 h 5 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
