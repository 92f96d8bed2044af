"""Cross entropy, summed over targets, with label smoothing over what can be chosen."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from .agreement import IMPOSSIBLE


def cross_entropy(logits: Tensor, targets: Tensor, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
    """Return minus the log likelihood of the targets.

    Args:
        logits: (targets, classes); minus infinity, or nearly, where nothing can be chosen.
        targets: (targets,), int64.
        smoothing: probability mass spread evenly over the classes that can be chosen (arXiv 1512.00567).
        weights: (classes,), of the classes.

    Returns:
        A scalar, the sum over targets.
    """
    if not smoothing or weights is not None:
        return F.cross_entropy(logits, targets, weights, reduction="sum", label_smoothing=smoothing)
    possible = logits > IMPOSSIBLE
    log = logits.log_softmax(-1)
    even = log.where(possible, 0.0).sum(-1) / possible.sum(-1)
    return -((1 - smoothing) * log.gather(-1, targets.unsqueeze(-1)).squeeze(-1) + smoothing * even).sum()


def binary_cross_entropy(
    logits: Tensor, targets: Tensor, smoothing: float = 0.0, reduction: Literal["sum", "none"] = "sum"
) -> Tensor:
    """Return minus the log likelihood of targets that are yes or no each.

    Args:
        logits: any shape.
        targets: the same shape, 0 or 1, floating point.
        smoothing: probability mass spread evenly over both.
        reduction: the sum over all, or none: of the same shape.
    """
    soft = targets * (1 - smoothing) + smoothing / 2
    return F.binary_cross_entropy_with_logits(logits, soft, reduction=reduction)
