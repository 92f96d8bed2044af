"""Compiled layers meet one shape: packs are filled up to it, and for what has another nothing is compiled anew.

A compilation takes longer than many an epoch. Blocks of a corpus have one shape but for the last ones, which are
computed by what is compiled already where that fits, and else as if nothing were compiled.

Touches: the compiler of torch 2.13, by its public `set_stance`, and by `torch._dynamo.maybe_mark_dynamic`, which is
documented: without, it compiles anew for each shape.
Off: `model.backbone.compile: false`; or `model.shortcuts: false`, where shapes are compiled as they come.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...contracts import CAPACITY, FULL, LONGEST


def has_the_shape(batch: dict[str, Any]) -> bool:
    """Return whether a batch has the one shape of its data, or they do not say that there is one.

    Args:
        batch: with hints or without; a pack has it once it is filled.
    """
    capacity = batch.get(CAPACITY)
    if capacity is None or "cu_seq_lens" in batch:
        return True
    return bool(batch.get(FULL)) and batch["input_ids"].numel() == capacity


def compiling(shaped: bool) -> AbstractContextManager[Any]:
    """Return a context in which compilers work as ever, or for a batch of another shape use what is compiled.

    Enter it for the backward pass too, in which checkpointed layers are computed again.

    Args:
        shaped: whether the batch has the shape of its data.
    """
    return nullcontext() if shaped else torch.compiler.set_stance("eager_on_recompile")


def any_length(tensor: Tensor) -> None:
    """Tell the compiler that a tensor's first dimension differs from batch to batch.

    Args:
        tensor: that is about to be an argument of what is compiled.
    """
    torch._dynamo.maybe_mark_dynamic(tensor, 0)


def fill_pack(batch: dict[str, Any]) -> dict[str, Any]:
    """Lay documents of nothing behind those of a pack, so that it has as many places as its data ever have.

    They are no targets, and no document sees another. What a network gives for the first places is what it would give
    without them.

    Args:
        batch: packed, (1, tokens); comes back as it is where nothing says how many places there are.
    """
    size, capacity, longest = batch["input_ids"].shape[1], batch.get(CAPACITY, 0), batch.get(LONGEST)
    if size >= capacity or not longest:
        return batch
    bounds = batch["cu_seq_lens"]
    more = torch.arange(size + longest, capacity + longest, longest, device=bounds.device).clamp(max=capacity)
    longer = {
        key: F.pad(value, (0, capacity - size))
        for key, value in batch.items()
        if isinstance(value, Tensor) and value.shape == (1, size)
    }
    return {**batch, **longer, "cu_seq_lens": torch.cat([bounds, more.to(bounds.dtype)])}
