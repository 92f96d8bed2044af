"""Cross entropy over a vocabulary, and whether the likeliest word was right, a few rows at a time.

Logits in float32, their softmax and its gradient are each as large as everything else that a step of a small model
holds. In pieces that stay in the processor's cache (or, on a GPU, within bounds) they are made and used up one after
the other; what is kept is the gradient, in the dtype of the logits. Compiled, nothing in float32 is written at all: on
a GPU that takes a fraction of the time, as moving numbers is all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from ...contracts import IGNORED
from ..shortcuts.static_shapes import any_length

CPU_PIECE = 1 << 17
"""Elements of a piece for each thread: half a megabyte in float32."""
GPU_PIECE = 1 << 26
"""Elements of a piece: 256 megabytes in float32. What fits into one is computed by torch's own kernels."""


def vocabulary_loss(
    logits: Tensor, targets: Tensor, smoothing: float = 0.0, plain: bool = False, compiled: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Return minus the log likelihood of the targets, and which of them were the likeliest word.

    Args:
        logits: (targets, vocabulary), any floating dtype; computed in float32.
        targets: (targets,), int64; `IGNORED` where there is none.
        smoothing: probability mass spread over the vocabulary (arXiv 1512.00567).
        plain: all rows at once, by torch's own function.
        compiled: by kernels that are compiled for it, once for each size of the vocabulary.

    Returns:
        The sum over targets, scalar, float32; the number of targets, scalar; and (targets,), float32, 1 where the
        likeliest word is the target.
    """
    rows = piece_rows(logits)
    # Not float16: the gradient would be kept before it is scaled up, where most of it is 0.
    narrow = logits.dtype == torch.float16
    small = logits.is_cuda and len(logits) <= rows and not compiled
    if plain or smoothing or narrow or not rows or small:
        wide = logits.float()
        loss = F.cross_entropy(wide, targets, reduction="sum", ignore_index=IGNORED, label_smoothing=smoothing)
        hits = wide.detach().max(-1).indices == targets  # on a CPU three times as fast as argmax
    else:
        loss, hits = _InPieces.apply(logits, targets, rows, compiled)
    return loss, (targets != IGNORED).sum(), hits.float()


def piece_rows(logits: Tensor) -> int:
    """Return how many rows a piece has, for a device and a size of the vocabulary; 0: no pieces."""
    if logits.is_cuda:
        return max(1, GPU_PIECE // logits.shape[-1])
    return max(1, CPU_PIECE * torch.get_num_threads() // logits.shape[-1]) if logits.device.type == "cpu" else 0


class _InPieces(torch.autograd.Function):
    """The loss with its gradient at once, so that no softmax has to be kept."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, rows: int, compiled: bool) -> tuple[Tensor, Tensor]:
        gradient = torch.empty_like(logits) if logits.requires_grad else None
        loss = torch.zeros((), device=logits.device)
        hits = torch.empty_like(targets, dtype=torch.bool)
        piece = _compiled_piece() if compiled else _piece
        for begin in range(0, len(logits), rows):
            part = slice(begin, begin + rows)
            scores, right = logits[part].detach(), targets[part].unsqueeze(1)
            if compiled:
                for tensor in (scores, right):
                    any_length(tensor)
            piece_loss, hits[part], piece_gradient = piece(scores, right, gradient is not None)
            loss += piece_loss
            if gradient is not None and piece_gradient is not None:
                gradient[part] = piece_gradient
        ctx.mark_non_differentiable(hits)
        ctx.save_for_backward(gradient)
        return loss, hits

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor, _: Tensor) -> tuple[Tensor | None, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * outer.to(gradient.dtype), None, None, None


Piece = Callable[[Tensor, Tensor, bool], tuple[Tensor, Tensor, Tensor | None]]


def _piece(logits: Tensor, right: Tensor, wanted: bool) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return loss, hits and gradient of some rows, without one large tensor more than there must be.

    Args:
        logits: (rows, vocabulary).
        right: (rows, 1), the targets.
        wanted: whether there is to be a gradient.
    """
    counted = right != IGNORED
    place = right.masked_fill(~counted, 0)
    scores = logits.to(torch.float32, copy=True)
    top, likeliest = scores.max(-1, keepdim=True)
    scores -= top
    of_target = scores.gather(1, place)
    whole = scores.exp_().sum(-1, keepdim=True)
    loss = (whole.log() - of_target).masked_fill(~counted, 0).sum()  # which may be no number where there is no target
    hits = (likeliest == right).squeeze(1)
    if not wanted:
        return loss, hits, None
    return loss, hits, scores.mul_(counted / whole).scatter_add_(1, place, -counted.float())


@cache
def _compiled_piece() -> Piece:
    return torch.compile(_fusible_piece)


def _fusible_piece(logits: Tensor, right: Tensor, wanted: bool) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return the same by operations on one element each, and sums, which a compiler joins."""
    counted = right != IGNORED
    place = right.masked_fill(~counted, 0)
    scores = logits.float()
    top, likeliest = scores.max(-1, keepdim=True)
    whole = (scores - top).exp().sum(-1, keepdim=True)
    loss = (whole.log() + top - scores.gather(1, place)).masked_fill(~counted, 0).sum()
    hits = (likeliest == right).squeeze(1)
    if not wanted:
        return loss, hits, None
    is_target = torch.arange(logits.shape[1], device=logits.device) == place
    gradient = ((scores - top).exp() / whole - is_target.float()) * counted
    return loss, hits, gradient.to(logits.dtype)
