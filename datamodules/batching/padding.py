"""Rows of tokens laid side by side, the shorter ones padded."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...contracts import IGNORED


class Padding:
    """Lays rows of tokens side by side, each key padded to its longest; adds `attention_mask`.

    Args:
        tokenizer: knows the padding token, and whether there are token types.
        left: pad on the left, for a decoder that goes on writing; training pads on the right, where it changes nothing.
        values: what other keys are padded with; 0 where nothing is said, `IGNORED` for `labels`.
    """

    def __init__(self, tokenizer: Any, left: bool = False, values: dict[str, int] | None = None) -> None:
        self.left = left
        self.values = {"input_ids": tokenizer.pad_token_id or 0, "labels": IGNORED, **(values or {})}
        self.leave_out = set() if "token_type_ids" in tokenizer.model_input_names else {"token_type_ids"}

    def __call__(self, rows: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
        """Return (rows, longest) of each key, int64."""
        mask = pad_rows([np.ones(len(row["input_ids"]), np.int64) for row in rows], 0, self.left)
        batch = {
            key: pad_rows([row[key] for row in rows], self.values.get(key, 0), self.left)
            for key in rows[0]
            if key not in self.leave_out
        }
        return {"input_ids": batch.pop("input_ids"), "attention_mask": mask, **batch}


def pad_rows(rows: list[np.ndarray], value: int, left: bool = False) -> Tensor:
    """Return rows of integers side by side, as long as the longest.

    Args:
        rows: each of its own length.
        value: for the places that a row leaves free.
        left: whether those are at its beginning.

    Returns:
        (rows, longest), int64.
    """
    width = max(map(len, rows))
    padded = np.full((len(rows), width), value, np.int64)
    for place, row in zip(padded, rows, strict=True):
        place[slice(width - len(row), width) if left else slice(0, len(row))] = row
    return torch.from_numpy(padded)
