"""How far two passes over the same input, with different dropout, are apart (R-Drop, arXiv 2106.14448)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from ...errors import InputError

Kind = Literal["classes", "binary", "numbers"]
IMPOSSIBLE = -1e30
"""Logits of what cannot be chosen (padding, endings that are not there) are minus infinity; this one can be computed
with."""


def disagreement(first: Sequence[Tensor], second: Sequence[Tensor], kind: Kind) -> Tensor:
    """Return the symmetric Kullback-Leibler divergence, (KL(p|q) + KL(q|p)) / 2, or the squared difference of numbers.

    Args:
        first: outputs of one pass, (targets, classes), (targets, ...) logits or numbers; where there are several, such
            as the beginning and the end of an answer, the mean over them is taken.
        second: those of the other pass.
        kind: what the outputs are.

    Returns:
        A scalar, summed over targets.
    """
    if not first:
        raise InputError("model.r_drop compares outputs, and this module's `step` gives none: set model.r_drop: 0.")
    pairs = list(zip(first, second, strict=True))
    if any(p.shape != q.shape for p, q in pairs):
        raise InputError("model.r_drop needs two passes over the same input, and this module draws another: set 0.")
    apart = {"classes": _classes, "binary": _binary, "numbers": _numbers}[kind]
    distances = [apart(p.float(), q.float()) for p, q in pairs]
    return sum(distances[1:], distances[0]) / len(distances)


def _classes(first: Tensor, second: Tensor) -> Tensor:
    p, q = (logits.clamp(min=IMPOSSIBLE).log_softmax(-1) for logits in (first, second))
    return ((p.exp() - q.exp()) * (p - q)).sum() / 2


def _binary(first: Tensor, second: Tensor) -> Tensor:
    return ((first.sigmoid() - second.sigmoid()) * (first - second)).sum() / 2


def _numbers(first: Tensor, second: Tensor) -> Tensor:
    return F.mse_loss(first, second, reduction="sum")
