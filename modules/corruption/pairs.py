"""Two segments of text and the special tokens around them, put together on the device."""

from __future__ import annotations

import torch
from torch import Tensor

from ...text.tokenizer import PairFrame
from .denoising import compact


def join_pairs(first: Tensor, second: Tensor, frame: PairFrame, pad_id: int) -> dict[str, Tensor]:
    """Return rows of two segments each, as the tokenizer would have put them together.

    Args:
        first: (rows, length), token ids; -1 after the end of a segment.
        second: (rows, other length), the same.
        frame: the special tokens before, between and after.
        pad_id: for the places after the end of a row.

    Returns:
        `input_ids`, `attention_mask` and `token_type_ids`, each (rows, longest) int64.
    """
    ids, types = [], []
    parts = (frame.before, first, frame.between, second, frame.after)
    for part, kind in zip(parts, frame.types, strict=True):
        if not isinstance(part, Tensor):
            part = torch.tensor(part, dtype=first.dtype, device=first.device).expand(len(first), -1)
        ids.append(part)
        types.append(torch.full_like(part, kind))
    joined = torch.cat(ids, dim=1)
    input_ids, mask = compact(joined, joined >= 0, pad_id)
    token_types, _ = compact(torch.cat(types, dim=1), joined >= 0, 0)
    return {"input_ids": input_ids, "attention_mask": mask.long(), "token_type_ids": token_types}
