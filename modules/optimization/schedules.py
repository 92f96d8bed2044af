"""Learning-rate schedules: the factor on the peak rate as a function of the optimizer step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

ScheduleName = Literal["constant", "linear", "cosine", "wsd"]


def warmup_steps(warmup: float, total: float) -> int:
    """Return warm-up in steps: a number below 1 is a fraction of the whole run, any other a count."""
    if warmup >= 1:
        return int(warmup)
    if math.isinf(total):
        return 0
    return round(warmup * total)


TICKS = 1_000_000.0
"""What a run of unknown length in steps, but known length in time, is divided into."""


def schedule(
    name: ScheduleName,
    total: float,
    warmup: float,
    decay: float = 0.2,
    clock: Callable[[], float] | None = None,
) -> Callable[[int], float]:
    """Return the schedule as a function of the step, which counts from 0.

    Args:
        name: `constant`, `linear` (to 0), `cosine` (to 0), or `wsd`: warm-up, stable, then a decay with
            1 - sqrt (arXiv 2405.18392).
        total: optimizer steps of the whole run; may be infinite for `constant`, or with a clock.
        warmup: steps, or a fraction below 1.
        decay: fraction of the run in which `wsd` decays.
        clock: share of a time budget that is spent, 0 to 1; whichever of steps and time ends sooner counts.

    Raises:
        ValueError: if the schedule decays and nothing says when training ends.
    """
    if math.isinf(total) and clock is None and name != "constant":
        raise ValueError(
            f"The schedule {name!r} needs to know how long training lasts: set trainer.max_steps, trainer.max_epochs "
            "or trainer.max_time, or use schedule: constant."
        )
    length = TICKS if math.isinf(total) and clock is not None else total
    rise = warmup_steps(warmup, length)

    return Schedule(name, total, warmup, decay, clock, length, rise)


@dataclass(frozen=True)
class Schedule:
    """A schedule, as `schedule` makes it: an object and no closure, as trainers travel to other processes with it.

    Args:
        name: see `schedule`, as the next four.
        total: steps.
        warmup: steps, or a fraction.
        decay: fraction.
        clock: share of the time.
        length: of the run in steps, or in ticks of the clock.
        rise: how much of it is warm-up.
    """

    name: ScheduleName
    total: float
    warmup: float
    decay: float
    clock: Callable[[], float] | None
    length: float
    rise: float

    def __call__(self, step: int) -> float:
        """Return the factor at a step."""
        rise, length = self.rise, self.length
        at = float(step) if math.isfinite(self.total) or self.clock is None else 0.0
        if self.clock is not None:
            at = max(at, self.clock() * length)
        rising = step if self.warmup >= 1 else at
        if rising < rise:
            # The first step already learns: (step + 1) / rise, reaching 1 at the end of the rise.
            return min(1.0, (rising + 1) / rise)
        if self.name == "constant":
            return 1.0
        progress = min(1.0, max(0.0, at - rise) / max(1, length - rise))
        if self.name == "linear":
            return 1.0 - progress
        if self.name == "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * progress))
        start = max(rise, length * (1 - self.decay))
        return 1.0 - math.sqrt(max(0.0, min(1.0, (at - start) / max(1, length - start))))


class GrowingSchedule(LambdaLR):
    """A schedule whose optimizer may get more parameters on the way, as callbacks that unfreeze layers give it.

    They follow the schedule from the rate that they come with.
    """

    def get_lr(self) -> list[float | Tensor]:
        """Return the rates of all groups, now."""
        for group in self.optimizer.param_groups[len(self.base_lrs) :]:
            now = float(self.get_last_lr()[0]) / float(self.base_lrs[0])
            group["initial_lr"] = group["lr"] / now if now else group["lr"]
            self.base_lrs.append(group["initial_lr"])
            self.lr_lambdas.append(self.lr_lambdas[0])
        return super().get_lr()

    def state_dict(self) -> dict[str, Any]:
        """Return the state without that of the factors, which follow from options, data and trainer of each run."""
        return {**super().state_dict(), "lr_lambdas": [None] * len(self.lr_lambdas)}
