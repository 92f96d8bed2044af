"""Prompts at the right end of their rows, where a decoder goes on."""

from __future__ import annotations

from torch import Tensor


def left_padded(ids: Tensor, mask: Tensor, pad_id: int) -> tuple[Tensor, Tensor]:
    """Move rows to the right end, whichever side their padding was on.

    Args:
        ids: (rows, length), integers.
        mask: (rows, length), 1 on real tokens.
        pad_id: for what is before them.

    Returns:
        Ids and mask, (rows, longest), no wider than the longest row, but at least 1.
    """
    if not ids.shape[1]:  # all rows are empty
        return ids.new_full((len(ids), 1), pad_id), mask.new_zeros((len(ids), 1))
    order = mask.bool().long().argsort(dim=1, stable=True)
    width = max(1, int(mask.bool().sum(1).max()))
    mask = mask.gather(1, order)[:, -width:]
    return ids.gather(1, order)[:, -width:].masked_fill(mask == 0, pad_id), mask
