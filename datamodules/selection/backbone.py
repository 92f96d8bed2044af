"""What a document is about, as a model sees it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...checkpoints import locate
from ...errors import InputError, first_line
from ...text.selection.embedding import beginning, of_length_one
from ...text.tokenizer import load_tokenizer

ROWS = 32
LONGEST = 512
"""Tokens of a document that are read."""


class BackboneEmbedding:
    """The mean of a model's last hidden states over a document's first tokens, of length 1.

    Args:
        name: of the model: a name, a folder, or an earlier run.

    Raises:
        InputError: if it cannot be loaded.
    """

    def __init__(self, name: str) -> None:
        from transformers import AutoModel

        place = locate(name)
        if isinstance(place, Path) and place.suffix == ".ckpt":
            raise InputError(f"data.selection.backbone is {name}, a checkpoint: give its export, or another folder.")
        self.tokenizer = load_tokenizer(name)
        try:
            self.model: Any = AutoModel.from_pretrained(str(place)).eval()
        except (OSError, ValueError) as error:
            raise InputError(f"data.selection.backbone: {name!r} cannot be loaded: {first_line(error)}") from error
        limit = getattr(self.model.config, "max_position_embeddings", None) or LONGEST
        self.longest = min(LONGEST, int(limit))

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Return (texts, hidden size) float64."""
        vectors = np.zeros((len(texts), self.model.config.hidden_size))
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))  # with little padding
        for begin in range(0, len(order), ROWS):
            places = order[begin : begin + ROWS]
            vectors[places] = self._means([beginning(texts[place]) for place in places])
        return of_length_one(vectors)

    def _means(self, texts: list[str]) -> np.ndarray:
        import torch

        batch = self.tokenizer(
            texts,
            truncation=True,
            max_length=self.longest,
            padding=True,
            return_tensors="pt",
            return_token_type_ids=False,
        )
        with torch.inference_mode():
            states = self.model(**batch).last_hidden_state
        mask = batch["attention_mask"][:, :, None].to(states.dtype)
        means: np.ndarray = ((states * mask).sum(1) / mask.sum(1).clamp(min=1)).double().numpy()
        return means
