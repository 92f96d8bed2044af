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
        """(rows, longest) of each key, int64."""
        mask = self._pad([np.ones(len(row["input_ids"]), np.int64) for row in rows], 0)
        batch = {
            key: self._pad([row[key] for row in rows], self.values.get(key, 0))
            for key in rows[0]
            if key not in self.leave_out
        }
        return {"input_ids": batch.pop("input_ids"), "attention_mask": mask, **batch}

    def _pad(self, sequences: list[np.ndarray], value: int) -> Tensor:
        width = max(len(ids) for ids in sequences)
        out = np.full((len(sequences), width), value, np.int64)
        for row, ids in enumerate(sequences):
            out[row, slice(width - len(ids), width) if self.left else slice(0, len(ids))] = ids
        return torch.from_numpy(out)
