"""BERT's corruption: which tokens are hidden, and behind what."""

from __future__ import annotations

import torch
from torch import Tensor

from .hashing import integers, row_keys, uniform

_CHOOSE, _HOW, _WHAT = 1, 2, 3


def mask_tokens(
    input_ids: Tensor,
    maskable: Tensor,
    *,
    attention_mask: Tensor | None,
    mask_id: int,
    ordinary_ids: Tensor,
    probability: float,
    mask_share: float,
    random_share: float,
    seed: int,
) -> tuple[Tensor, Tensor]:
    """Chooses tokens to predict and corrupts them (arXiv 1810.04805, section 3.1).

    Every draw is a hash of the seed and the example, see `hashing`. A row in which chance chose nothing gets one
    target, so that no example is lost.

    Args:
        input_ids: (rows, length), integers.
        maskable: (rows, length), boolean; False on special tokens and padding.
        attention_mask: (rows, length) or None, 1 on real tokens.
        mask_id: the id of the mask token.
        ordinary_ids: (n,), the ids that a random replacement is drawn from.
        probability: chance of a token to become a target.
        mask_share: share of the targets that become the mask token.
        random_share: share that become a random token; the rest stay.
        seed: other seeds draw other masks.

    Returns:
        The corrupted ids, (rows, length), and the targets, (rows, length), boolean.
    """
    keys = row_keys(input_ids, attention_mask, seed)
    draw = uniform(keys, _CHOOSE).masked_fill(~maskable, 2.0)
    lowest = torch.zeros_like(maskable).scatter_(1, draw.argmin(dim=1, keepdim=True), True)
    targets = ((draw < probability) | lowest) & maskable
    how = uniform(keys, _HOW)
    hidden = targets & (how < mask_share)
    swapped = targets & (how >= mask_share) & (how < mask_share + random_share)
    random_ids = ordinary_ids[integers(keys, _WHAT, len(ordinary_ids))].to(input_ids.dtype)
    corrupted = torch.where(hidden, torch.full_like(input_ids, mask_id), input_ids)
    return torch.where(swapped, random_ids, corrupted), targets
