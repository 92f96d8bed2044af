"""The learning rate of a run: its schedule, and what stages of the data ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...contracts import data_facts
from .schedules import schedule

if TYPE_CHECKING:
    from .module import OptimizedModule


def rate_factor(module: OptimizedModule) -> Callable[[int], float]:
    """Return the factor on the learning rate as a function of the optimizer step.

    Args:
        module: with its trainer.

    Raises:
        ValueError: if the schedule decays and nothing says when training ends.
    """
    factor = schedule(module.schedule, module.total_steps, module.warmup, clock=module.clock.share(module.trainer))
    data, window = data_facts(module.datamodule), module.trainer.accumulate_grad_batches
    return lambda step: factor(step) * data.rate_at(step * window + module.batches_ahead)
