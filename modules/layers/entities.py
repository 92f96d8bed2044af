"""Scores of whole entities: right only if beginning, end and kind are (CoNLL-2003; seqeval's strict mode in IOB2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class EntityScore(Metric):
    """Precision, recall or F1 of the entities, over all of them (micro average).

    Words may come in any order and division; they are put together again when the score is computed.

    Args:
        labels: the tag names by index: `O`, `B-PER`, `I-PER`, ...
        kind: which score.
    """

    full_state_update = False
    higher_is_better = True
    words: Any

    def __init__(self, labels: Sequence[str], kind: Literal["precision", "recall", "f1"]) -> None:
        super().__init__()
        self.kind = kind
        self.types = sorted({name[2:] for name in labels if name[:2] in ("B-", "I-")})
        # The type of each tag, -1 for O, and whether it begins or continues an entity; entities are looked for on the
        # CPU, wherever the network is made.
        types = [self.types.index(n[2:]) if n[:2] in ("B-", "I-") else -1 for n in labels]
        self.type_of = torch.tensor(types, device="cpu")
        self.begins = torch.tensor([n.startswith("B-") for n in labels], device="cpu")
        self.continues = torch.tensor([n.startswith("I-") for n in labels], device="cpu")
        self.add_state("words", [], dist_reduce_fx="cat")

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Adds words.

        Args:
            predictions: (words, 3) int64: the example, the word's number in it, and the predicted tag; a number of -1
                is of what counts elsewhere, and is left out.
            targets: (words,) int64, the right tag.
        """
        self.words.append(torch.cat((predictions, targets[:, None]), 1))

    def _entities(self, tags: Tensor, example: Tensor) -> tuple[Tensor, Tensor]:
        """(words,): where the entity that begins at a word ends, -1 where none does; and its type."""
        kinds = self.type_of[tags]
        same: Tensor = torch.zeros_like(kinds, dtype=torch.bool)
        same[1:] = self.continues[tags][1:] & (kinds[1:] == kinds[:-1]) & (example[1:] == example[:-1])
        starts = torch.nonzero(~same).squeeze(1)
        ends = torch.full_like(kinds, -1)
        ends[starts] = torch.cat((starts[1:], torch.tensor([len(tags)])))
        return torch.where(self.begins[tags], ends, -1), kinds  # what does not begin with B- is none

    def counts(self) -> Tensor:
        """(types, 3): the right ones, the predicted ones, those there are."""
        words: Any = dim_zero_cat(self.words).cpu() if len(self.words) else torch.zeros(0, 4, dtype=torch.int64)
        words = words[words[:, 1] >= 0]
        order = torch.argsort(words[:, 0] * (words[:, 1].max() + 1 if len(words) else 1) + words[:, 1])
        example, _, guess, gold = words[order].unbind(1)
        (ends, kinds), (right_ends, right_kinds) = self._entities(guess, example), self._entities(gold, example)
        both = (ends >= 0) & (ends == right_ends) & (kinds == right_kinds)
        found = [kinds[both], kinds[ends >= 0], right_kinds[right_ends >= 0]]
        counts: Tensor = torch.stack([torch.bincount(kind, minlength=len(self.types)) for kind in found], 1)
        return counts

    def compute(self) -> Tensor:
        """Scalar, float32; 0 where nothing was predicted or there is nothing."""
        right, predicted, there = self.counts().sum(0).double()
        below = {"precision": predicted, "recall": there, "f1": (predicted + there) / 2}[self.kind]
        found: Tensor = (right / below.clamp(min=0.5)).float()
        return found
