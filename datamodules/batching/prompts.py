"""Beginnings of texts, to be gone on with, and texts with masks, to be filled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from ...storage.cache import TokenStore
from ...text.encoding import encode
from ...text.findings import Findings
from .padding import pad_rows
from .token_rows import TokenRow
from .whole_batches import WholeBatches

UNMASKED = "_without a mask"
"""What a finding is called that warns, and is not told beside the others."""


class Prompts(WholeBatches):
    """Beginnings of texts to be continued, as batches.

    Args:
        sequences: token ids of each.
        pad_id: for the places after the end of a row.
    """

    def __init__(self, sequences: list[np.ndarray] | TokenStore, pad_id: int) -> None:
        self.sequences, self.pad_id = sequences, pad_id

    def __len__(self) -> int:
        return len(self.sequences)

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch of some examples."""
        rows = [np.asarray(self.sequences[i], np.int64) for i in indices]
        ids, mask = pad_rows(rows, self.pad_id), pad_rows([np.ones_like(row) for row in rows], 0)
        return {"input_ids": ids, "attention_mask": mask, "index": torch.tensor(indices)}


def prompt_encoder(
    tokenizer: Any, fills_masks: bool
) -> Callable[[list[dict[str, Any]], Findings], list[list[TokenRow]]]:
    """Return what takes examples, each with a `text`, to a row of tokens each.

    Args:
        tokenizer: any; special tokens are not added.
        fills_masks: whether each text should have a mask; those that have none are counted.
    """

    def encode_prompts(examples: list[dict[str, Any]], findings: Findings) -> list[list[TokenRow]]:
        sequences = encode(tokenizer, [example["text"] for example in examples])
        if fills_masks:
            for number, ids in enumerate(sequences):
                findings.note(UNMASKED, number, tokenizer.mask_token_id not in ids)
        return [[{"input_ids": ids}] for ids in sequences]

    return encode_prompts


def warn_of_unmasked(counts: Mapping[str, int], rows: int, tokenizer: Any) -> None:
    """Warn where texts whose masks are to be filled have none.

    Args:
        counts: of the findings.
        rows: how many texts there are.
        tokenizer: whose mask it is.
    """
    if unmasked := counts.get(UNMASKED, 0):
        rank_zero_warn(
            f"{unmasked:,} of {rows:,} texts to predict have no {tokenizer.mask_token}, and nothing is filled in "
            "there: their lists of `masks` are empty."
        )
