"""How much of `trainer.max_time` is spent, which the schedule goes by where that is the limit."""

from __future__ import annotations

from collections.abc import Callable

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Timer
from lightning.pytorch.trainer.states import RunningStage


class Clock:
    """The share of the time that is spent, in all processes that of the first: with clocks of their own, rates part."""

    def __init__(self) -> None:
        self.spent = 0.0
        """When it was last read; 0 where there is no limit."""

    def read(self, trainer: Trainer) -> None:
        """Take down the time.

        Args:
            trainer: which of all processes read it together.
        """
        timer, self.spent = _timer(trainer), 0.0
        if timer is not None and timer._duration:
            spent = timer.time_elapsed(RunningStage.TRAINING) / timer._duration
            self.spent = min(1.0, trainer.strategy.broadcast(spent))

    def share(self, trainer: Trainer) -> Callable[[], float] | None:
        """Return what tells the share that is spent; None where time is no limit."""
        return self.now if _timer(trainer) is not None else None

    def now(self) -> float:
        """Return the share that was spent when it was last read."""
        return self.spent


def _timer(trainer: Trainer) -> Timer | None:
    timers = (c for c in trainer.callbacks if isinstance(c, Timer) and c._duration)  # type: ignore[attr-defined]
    return next(timers, None)
