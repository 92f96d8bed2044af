"""Steps whose loss or gradient is no finite number: left out as they come, told in the end, fatal when they last."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NoReturn

import torch
from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch.distributed.tensor import DTensor
from torch.optim import Optimizer

from ...contracts import loader_facts
from ...errors import InputError
from .guard import READ_EVERY, all_finite, leave_out

if TYPE_CHECKING:
    from .module import OptimizedModule


class RecentSteps:
    """Of the latest steps the number, the epoch, and the batch that they ended with.

    Args:
        max_skips: steps in a row that may be broken before anybody asks where that began.
    """

    def __init__(self, max_skips: int) -> None:
        self._steps: deque[tuple[int, int, int]] = deque(maxlen=4 * READ_EVERY + max_skips)

    def add(self, step: int, epoch: int, batch: int) -> None:
        """Take down a step."""
        self._steps.append((step, epoch, batch))

    def place(self, step: int) -> tuple[int, int] | None:
        """Return the epoch and the batch of a step; None of one that is too long ago."""
        return next(((epoch, batch) for number, epoch, batch in self._steps if number == step), None)


def clip_or_leave_out(
    module: OptimizedModule, optimizer: Optimizer, limit: float | None, algorithm: str | None
) -> None:
    """Clip the gradient, and leave the step out if its loss or gradient is not finite; one norm serves both.

    Args:
        module: in training, its gradients complete.
        optimizer: about to step.
        limit: `trainer.gradient_clip_val`.
        algorithm: `trainer.gradient_clip_algorithm`.

    Raises:
        InputError: after `max_skips` such steps in a row.
    """
    trainer = module.trainer
    parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    by_norm = str(algorithm or "norm").rpartition(".")[2].lower() == "norm"
    if isinstance(trainer.strategy, DeepSpeedStrategy | FSDPStrategy) or not parameters:  # they have their own
        module.clip_gradients(optimizer, limit, algorithm)
        norm, divided = torch.zeros((), device=module.device), True
    else:
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        divided = isinstance(norm, DTensor)
        if limit and by_norm:
            torch.nn.utils.clip_grads_with_norm_(parameters, float(limit), norm)
        elif limit:
            module.clip_gradients(optimizer, limit, algorithm)
    loss = module.last_loss
    if loss is None:
        return
    scaler = getattr(trainer.precision_plugin, "scaler", None)  # of fp16: it leaves out steps of its own
    whole = norm.full_tensor() if isinstance(norm, DTensor) else norm
    step = module.global_step + 1
    module.recent_steps.add(step, module.current_epoch, trainer.fit_loop.batch_idx)
    broken = module.guard.look(step, loss, torch.zeros_like(loss) if scaler is not None else whole.to(loss.device))
    if scaler is None:
        leave_out(optimizer, broken, divided)
    module.guard.read()
    if module.guard.broken:
        _stop(module)


def check_trained(module: OptimizedModule) -> None:
    """Say how many steps were left out in a training that has ended.

    Raises:
        InputError: where nothing was learned, or the weights are no numbers.
    """
    module.guard.read(now=True)
    if module.guard.broken:
        _stop(module)
    left_out, steps = module.guard.left_out, module.global_step
    if module.max_skips and not all_finite(module.networks()):
        raise InputError(f"The weights are not finite numbers after {steps:,} steps. {_likely_cause(module)}")
    if module.max_skips and left_out and left_out >= steps:
        raise InputError(
            f"Nothing was learned: loss or gradient was not a finite number in any of {steps:,} steps. "
            f"{_likely_cause(module)}"
        )
    if left_out:
        rank_zero_warn(
            f"Loss or gradient was not a finite number in {left_out:,} of {steps:,} steps, which were left out; "
            f"the last time from step {module.guard.first:,} on."
        )
    if sentence := module.guard.spikes.sentence():
        rank_zero_warn(sentence)


def _stop(module: OptimizedModule) -> NoReturn:
    first = module.guard.first
    since = module.recent_steps.place(first)
    place = f"step {first:,}" + (f" (epoch {since[0]}, {_rows(module, *since)})" if since is not None else "")
    raise InputError(
        f"Loss or gradient was not a finite number in {module.guard.most} steps in a row (model.max_skips), from "
        f"{place} on: the run was stopped. {_likely_cause(module)}"
    )


def _rows(module: OptimizedModule, epoch: int, batch: int) -> str:
    """Return which batch it was, and which examples it held, where the loader can tell."""
    plan = loader_facts(module.trainer.train_dataloader).plan
    if plan is None:
        return f"batch {batch}"
    rows = plan.examples(epoch, batch)
    more = f" and {len(rows) - 16} more" if len(rows) > 16 else ""
    return f"batch {batch}: training examples {', '.join(map(str, rows[:16]))}{more}, counted from 0"


def _likely_cause(module: OptimizedModule) -> str:
    precision = str(module.trainer.precision)
    if precision in ("16-true", "16-mixed"):
        return f"trainer.precision is {precision}, which ends at 65,504: bf16-mixed or 32-true would work."
    if not all_finite(module.networks()):
        return "The weights are no numbers any more: go on from an earlier checkpoint, with a lower learning_rate."
    if module.guard.left_out >= module.global_step:
        return (
            "It was so from the first step on: look at these examples, and at the weights that it started from "
            f"(a learning_rate of {module.learning_rate:g} plays no part yet)."
        )
    return (
        f"The learning rate ({module.learning_rate:g}) is likely too high: try a tenth of it, more warmup, or a "
        "lower trainer.gradient_clip_val; else look at these examples."
    )
