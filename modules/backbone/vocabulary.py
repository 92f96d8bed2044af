"""How a network fits its tokenizer: special tokens, rows of the embedding, and where those of new words start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

PAD_VOCABULARY_TO = 64
"""Rows of the embedding come in multiples of this, which matrix units want."""


def special_ids(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Return the configuration fields that follow a tokenizer."""
    names = ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id", "mask_token_id")
    ids = {name: getattr(tokenizer, name, None) for name in names}
    # Encoders without a beginning or end token of their own use the classification and separator tokens.
    ids["bos_token_id"] = ids["bos_token_id"] if ids["bos_token_id"] is not None else ids["cls_token_id"]
    ids["eos_token_id"] = ids["eos_token_id"] if ids["eos_token_id"] is not None else ids["sep_token_id"]
    return {name: value for name, value in ids.items() if value is not None and name[:3] in ("pad", "bos", "eos")}


def decoder_ids(config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Return what a decoder beside an encoder begins and ends with: BART begins with its end, others with padding."""
    ids = special_ids(tokenizer)
    if not config.is_encoder_decoder or not {"pad_token_id", "eos_token_id"} <= ids.keys():
        return {}
    start = "eos_token_id" if config.model_type in ("bart", "mbart") else "pad_token_id"
    fields = {"decoder_start_token_id": ids[start]}
    if getattr(config, "forced_eos_token_id", None) is not None:
        fields["forced_eos_token_id"] = ids["eos_token_id"]
    return fields


def padded_size(size: int) -> int:
    """Return the next multiple of `PAD_VOCABULARY_TO`."""
    return -(-size // PAD_VOCABULARY_TO) * PAD_VOCABULARY_TO


def fit_vocabulary(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, known: PreTrainedTokenizerBase | None = None
) -> list[int]:
    """Grow the embedding where the tokenizer outgrew it (never shrinks it).

    Args:
        model: its embeddings follow, and what foretells words.
        tokenizer: the entries that there are to be.
        known: the one that the weights were trained with, where the other extends it: a new word starts at the mean of
            the pieces it had there. Otherwise new rows start at the mean of all.

    Returns:
        The rows of words that the weights did not come with.
    """
    table: Any = model.get_input_embeddings()
    rows = table.weight.shape[0]
    needed = max([len(tokenizer) - 1, *tokenizer.get_vocab().values()]) + 1
    new = set(range(rows, needed))
    if needed > rows:
        rank_zero_info(f"The tokenizer has {needed} entries, the weights {rows}: the embedding grows.")
        model.resize_token_embeddings(padded_size(needed), mean_resizing=True)
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    if known is not None:
        new |= start_new_words(model, tokenizer, known)
    return sorted(new)


@torch.no_grad()
def start_new_words(model: Any, tokenizer: Any, known: Any) -> set[int]:
    """Set the rows of new words, where they are read and where they are foretold, to the mean of their old pieces'.

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
    """Return whether a parameter has an entry for each word: an embedding, or a bias of what foretells words."""
    heads = (model.get_input_embeddings(), model.get_output_embeddings())
    owned = {id(p) for head in heads if head is not None for p in head.parameters()}
    return id(parameter) in owned or parameter.ndim == 1
