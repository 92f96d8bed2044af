"""Beginnings of texts, to be gone on with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...storage.cache import TokenStore
from ...text.encoding import encode
from ...text.findings import Findings
from .padding import pad_rows
from .predict_rows import write_inputs
from .token_rows import TokenRow


class Prompts:
    """Beginnings of texts to be continued, as batches.

    Args:
        sequences: token ids of each.
        pad_id: for the places after the end of a row.
    """

    def __init__(self, sequences: list[list[int]] | TokenStore, pad_id: int) -> None:
        self.sequences, self.pad_id = sequences, pad_id

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, indices: list[int]) -> dict[str, Tensor]:
        rows = [np.asarray(self.sequences[i], np.int64) for i in indices]
        ids, mask = pad_rows(rows, self.pad_id), pad_rows([np.ones_like(row) for row in rows], 0)
        return {"input_ids": ids, "attention_mask": mask, "index": torch.tensor(indices)}


def write_prompts(folder: Path, texts: Iterable[str], tokenizer: Any) -> bool:
    """Tokenize prompts into a folder of the cache, and return whether there are any.

    Args:
        folder: to write into.
        texts: the prompts.
        tokenizer: any; special tokens are not added.
    """

    def encode_prompts(examples: list[dict[str, Any]], findings: Findings) -> list[list[TokenRow]]:
        return [[{"input_ids": ids}] for ids in encode(tokenizer, [example["text"] for example in examples])]

    rows = ((f"document {number}", {"text": text}) for number, text in enumerate(texts))
    write_inputs(folder, rows, lambda where, row: row, encode_prompts, tokenizer)
    return (folder / "inputs.ends.bin").stat().st_size > 0
