"""Cross entropy over a vocabulary, and whether the likeliest word was right, a few rows at a time.

Logits in float32, their softmax and its gradient are each as large as everything else that a step of a small model
holds. In pieces that stay in the processor's cache (or, on a GPU, within bounds) they are made and used up one after
the other; what is kept is the gradient, in the dtype of the logits.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORED = -100
"""The target of a row that has none."""
CPU_PIECE = 1 << 17
"""Elements of a piece for each thread: half a megabyte in float32."""
GPU_PIECE = 1 << 26
"""Elements of a piece: 256 megabytes in float32. What fits into one is computed by torch's own kernels."""


def vocabulary_loss(
    logits: Tensor, targets: Tensor, smoothing: float = 0.0, plain: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Minus the log likelihood of the targets.

    Args:
        logits: (targets, vocabulary), any floating dtype; computed in float32.
        targets: (targets,), int64; `IGNORED` where there is none.
        smoothing: probability mass spread over the vocabulary (arXiv 1512.00567).
        plain: all rows at once, by torch's own function.

    Returns:
        The sum over targets, scalar, float32; the number of targets, scalar; and (targets,), float32, 1 where the
        likeliest word is the target.
    """
    rows = piece_rows(logits)
    # Not float16: the gradient would be kept before it is scaled up, where most of it is 0.
    narrow = logits.dtype == torch.float16
    if plain or smoothing or narrow or not rows or (logits.is_cuda and len(logits) <= rows):
        wide = logits.float()
        loss = F.cross_entropy(wide, targets, reduction="sum", ignore_index=IGNORED, label_smoothing=smoothing)
        hits = wide.detach().max(-1).indices == targets  # on a CPU three times as fast as argmax
    else:
        loss, hits = _InPieces.apply(logits, targets, rows)
    return loss, (targets != IGNORED).sum(), hits.float()


def piece_rows(logits: Tensor) -> int:
    """How many rows a piece has, for a device and a size of the vocabulary; 0: no pieces."""
    if logits.is_cuda:
        return max(1, GPU_PIECE // logits.shape[-1])
    return max(1, CPU_PIECE * torch.get_num_threads() // logits.shape[-1]) if logits.device.type == "cpu" else 0


class _InPieces(torch.autograd.Function):
    """The loss with its gradient at once, so that no softmax has to be kept."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, rows: int) -> tuple[Tensor, Tensor]:
        wanted = logits.requires_grad
        gradient = torch.empty_like(logits) if wanted else None
        loss = torch.zeros((), device=logits.device)
        hits = torch.empty_like(targets, dtype=torch.bool)
        for begin in range(0, len(logits), rows):
            part = slice(begin, begin + rows)
            right = targets[part].unsqueeze(1)
            counted = right != IGNORED
            place = right.masked_fill(~counted, 0)
            scores = logits[part].to(torch.float32, copy=True)
            top, likeliest = scores.max(-1, keepdim=True)
            hits[part] = (likeliest == right).squeeze(1)
            scores -= top
            of_target = scores.gather(1, place)
            whole = scores.exp_().sum(-1, keepdim=True)
            loss += ((whole.log() - of_target) * counted).sum()
            if gradient is not None:
                gradient[part] = scores.mul_(counted / whole).scatter_add_(1, place, -counted.float())
        ctx.mark_non_differentiable(hits)
        ctx.save_for_backward(gradient)
        return loss, hits

    @staticmethod
    def backward(ctx: Any, outer: Tensor, _: Tensor) -> tuple[Tensor | None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * outer.to(gradient.dtype), None, None
