"""The learning rate of a run: its schedule, and what stages of the data ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...contracts import DataFacts, data_facts
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
    return StagedRate(factor, data_facts(module.datamodule), module.trainer.accumulate_grad_batches, module)


@dataclass(frozen=True)
class StagedRate:
    """What a schedule and the stages of the data make of the rate.

    Args:
        factor: the schedule, by optimizer step.
        data: knows the stages, by batch.
        window: batches in a step.
        module: knows how many batches the steps are behind.
    """

    factor: Callable[[int], float]
    data: DataFacts
    window: int
    module: OptimizedModule

    def __call__(self, step: int) -> float:
        """Return the factor at an optimizer step."""
        return self.factor(step) * self.data.rate_at(step * self.window + self.module.batches_ahead)
