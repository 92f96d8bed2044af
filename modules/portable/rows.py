"""Rows as a graph takes them: padded, a mask beside them, every input there."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ...contracts import data_facts
from ...text.tokenizer import pad_id, special_frame
from ..backbone.positions import max_positions

if TYPE_CHECKING:
    from ..base import BaseModule

SOURCE = ("input_ids", "attention_mask", "token_type_ids")
"""Inputs of one shape."""
LONGEST = 512
"""Tokens of a row at most, where neither data nor positions say."""
MADE_UP_WORDS = (13, 5, 9, 3, 11, 7, 2, 8)
"""How many words the made-up rows have."""


def plain_rows(given: Mapping[str, Any], names: Sequence[str]) -> dict[str, Tensor]:
    """Return what a graph is given in place of the network.

    Where there is no mask, nothing is masked; where there are no types of tokens, all are of the first.

    Args:
        given: what the network is called with.
        names: of the graph's inputs.
    """
    ids = given["input_ids"]
    found = dict(given)
    known = found.get("attention_mask")
    if not isinstance(known, Tensor) or known.shape != ids.shape:
        found["attention_mask"] = torch.ones_like(ids)
    if found.get("token_type_ids") is None:
        found["token_type_ids"] = torch.zeros_like(ids)
    return {name: found[name].long() for name in names}


def made_up_rows(module: BaseModule) -> dict[str, Tensor]:
    """Return rows of the tokenizer's words, drawn by a fixed seed, with its special tokens: no more than placeholders.

    Args:
        module: a built one with a tokenizer.
    """
    draw, tokenizer = random.Random(0), module.tokenizer
    special = set(tokenizer.all_special_ids)
    words = [i for i in sorted(set(tokenizer.get_vocab().values())) if i not in special]
    room = longest_input(module) - 4
    counts = [min(count, room) for count in MADE_UP_WORDS]
    before, after = special_frame(tokenizer)
    rows = [[*before, *draw.choices(words, k=count), *after] for count in counts]
    ids = pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=pad_id(tokenizer))
    lengths = torch.tensor([len(row) for row in rows])
    mask = (torch.arange(ids.shape[1]) < lengths.unsqueeze(1)).long()
    found = {"input_ids": ids, "attention_mask": mask}
    if module.model.config.is_encoder_decoder:
        found["decoder_input_ids"] = ids[:, : ids.shape[1] // 2]
    if module.auto_class == "AutoModelForMultipleChoice":
        found = {name: values.view(-1, 2, values.shape[1]) for name, values in found.items()}
    return found


def smaller_rows(rows: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Yield parts of rows in other shapes: the first alone, and a third of them, each without needless padding."""
    count = len(rows["input_ids"])
    for number in dict.fromkeys((1, max(1, count // 3))):
        part = {name: values[:number] for name, values in rows.items()}
        real = part["attention_mask"].flatten(0, -2).any(0).nonzero().flatten()
        if len(real):
            first, last = int(real[0]), int(real[-1]) + 1
            yield {name: v[..., first:last] if name in SOURCE else v for name, v in part.items()}


def longest_input(module: BaseModule) -> int:
    """Return how many tokens an input has at most: as the data have them, else as the network takes them."""
    limits = (data_facts(module.datamodule).longest, max_positions(module.model.config))
    return min([limit for limit in limits if limit is not None], default=LONGEST)
