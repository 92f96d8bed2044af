"""Where the embeddings of words that a tokenizer was extended by start."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


@torch.no_grad()
def start_new_words(model: Any, tokenizer: Any, known: Any) -> set[int]:
    """Sets the rows of new words, where they are read and where they are foretold, to the mean of their old pieces'.

    Args:
        model: a Hugging Face network whose embeddings have room for every entry.
        tokenizer: the extended one.
        known: the one that the weights were trained with.

    Returns:
        The rows of the new words.
    """
    old = known.get_vocab()
    new = {token: number for token, number in tokenizer.get_vocab().items() if token not in old}
    rows = len(model.get_input_embeddings().weight)
    # Tied weights are one parameter; biases of the words have one entry each.
    tables = [p for p in model.parameters() if p.shape[0] == rows and p.ndim in (1, 2) and _of_words(model, p)]
    whole = [table[: len(known)].mean(0) for table in tables]
    split = known.backend_tokenizer.model.tokenize
    for token, number in new.items():
        pieces = [piece.id for piece in split(token) if piece.id != known.unk_token_id]
        for table, mean in zip(tables, whole, strict=True):
            table[number] = table[torch.tensor(pieces)].mean(0) if pieces else mean
    return set(new.values())


def _of_words(model: Any, parameter: Tensor) -> bool:
    """Whether a parameter has an entry for each word: an embedding, or a bias of what foretells words."""
    heads = (model.get_input_embeddings(), model.get_output_embeddings())
    owned = {id(p) for head in heads if head is not None for p in head.parameters()}
    return id(parameter) in owned or parameter.ndim == 1
