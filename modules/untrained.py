"""Whether the head of a network was ever trained, which its scores and predictions are worth nothing without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning.pytorch.utilities.rank_zero import rank_zero_warn

from ..errors import InputError

if TYPE_CHECKING:
    from .network import NetworkModule

CURE = "Give --ckpt_path (a checkpoint or a run folder), or a fine-tuned model as model.backbone."


def warn_untrained(module: NetworkModule) -> None:
    """Say so where what is tested was never trained."""
    if module.is_untrained():
        rank_zero_warn(
            f"The head is new and untrained: the scores of this test are chance. {module.why_untrained}{CURE}"
        )


def refuse_untrained(module: NetworkModule) -> None:
    """Raise an `InputError` where what would predict was never trained, unless that is wanted."""
    if module.is_untrained() and not module.predicts_untrained:
        raise InputError(f"The head is new and untrained: predictions would be chance. {module.why_untrained}{CURE}")
