"""Learning-rate schedules: the factor on the peak rate as a function of the optimiser step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

ScheduleName = Literal["constant", "linear", "cosine", "wsd"]


def warmup_steps(warmup: float, total: float) -> int:
    """Warm-up in steps: a number below 1 is a fraction of the whole run, any other a count."""
    if warmup >= 1:
        return int(warmup)
    if math.isinf(total):
        return 0
    return round(warmup * total)


def schedule(name: ScheduleName, total: float, warmup: float, decay: float = 0.2) -> Callable[[int], float]:
    """The schedule as a function of the step, which counts from 0.

    Args:
        name: `constant`, `linear` (to 0), `cosine` (to 0), or `wsd`: warm-up, stable, then a decay with
            1 - sqrt (arXiv 2405.18392).
        total: optimiser steps of the whole run; may be infinite for `constant`.
        warmup: steps, or a fraction below 1.
        decay: fraction of the run in which `wsd` decays.
    """
    if math.isinf(total) and name != "constant":
        raise ValueError(
            f"The schedule {name!r} needs to know how long training lasts: set trainer.max_steps or "
            "trainer.max_epochs, or use schedule: constant."
        )
    rise = warmup_steps(warmup, total)

    def factor(step: int) -> float:
        if step < rise:
            # The first step already learns: (step + 1) / rise, reaching 1 at the end of the rise.
            return (step + 1) / rise
        if name == "constant":
            return 1.0
        progress = min(1.0, (step - rise) / max(1, total - rise))
        if name == "linear":
            return 1.0 - progress
        if name == "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * progress))
        start = max(rise, total * (1 - decay))
        return 1.0 - math.sqrt(max(0.0, min(1.0, (step - start) / max(1, total - start))))

    return factor
