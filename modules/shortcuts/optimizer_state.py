"""What torch's optimizers and schedules keep for themselves, set right.

Touches: private attributes of torch 2.13, one in each function below, which says why: torch has no public way.
Off: they come with what they set right: `trainer.precision: 16-mixed` takes no fused AdamW, and only a run that goes on
with other options (`trainer.ckpt_path`) has its rates told anew.
"""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer


def allow_clipping(optimizer: Optimizer) -> None:
    """Have Lightning clip the gradients of a fused optimizer (`_step_supports_amp_scaling`).

    Lightning refuses to clip for any optimizer that could unscale gradients; without a scaler none does.
    """
    optimizer._step_supports_amp_scaling = False  # type: ignore[attr-defined]


def tell_rate(scheduler: Any, group: int, rate: float) -> None:
    """Have a schedule say the learning rate that a group has now, before its next step (`_last_lr`).

    Args:
        scheduler: a `LambdaLR`, whose `get_last_lr` monitors ask.
        group: the number of a parameter group.
        rate: that it was given.
    """
    scheduler._last_lr[group] = rate
