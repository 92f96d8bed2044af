"""Scores of tagged words, by what is predicted for all of them: those that have no token of their own included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from ...text.tags import continued


class WordScore(Metric):
    """The base of scores of tagged words: puts predicted and right tags of words side by side, sentence by sentence.

    Words may come in any order and division; they are put together again when the score is computed. A token may answer
    for several words (`covers`), of which the later ones go on with what the first is. Words that no token answers for
    are `filled`.

    Args:
        labels: the tag names by index.
    """

    full_state_update = False
    words: Any
    gold: Any

    def __init__(self, labels: Sequence[str]) -> None:
        super().__init__()
        # One more, which stands for no prediction. All on the CPU, wherever the network is made.
        names = [*labels, ""]
        number = {name: i for i, name in enumerate(names)}
        self.none = len(labels)
        self.next = torch.tensor([number.get(self.continuing(name), i) for i, name in enumerate(names)], device="cpu")
        self.add_state("words", [], dist_reduce_fx="cat")
        self.add_state("gold", [], dist_reduce_fx="cat")

    def continuing(self, tag: str) -> str:
        """Return the tag of a word that goes on with one of this tag."""
        return tag

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Add words.

        Args:
            predictions: (words, 3 or 4) int64: the example, the word's number in it, the predicted tag, and for how
                many words from this one on that is (1 where it is not said); a number of -1 is of what counts
                elsewhere, and is left out.
            targets: (words,) int64, the right tag of each; or (all words, 3) int64, the example, the word's number,
                and the right tag, for all words of the examples.
        """
        if targets.dim() == 1:
            targets = torch.cat((predictions[:, :2], targets[:, None]), 1)
        if predictions.shape[1] == 3:
            predictions = torch.cat((predictions, torch.ones_like(predictions[:, :1])), 1)
        self.words.append(predictions)
        self.gold.append(targets)

    def dense(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return (words,) int64 each, in order: the example, the predicted tag (or `none`), the right tag."""
        gold: Any = dim_zero_cat(self.gold).cpu() if len(self.gold) else torch.zeros(0, 3, dtype=torch.int64)
        words: Any = dim_zero_cat(self.words).cpu() if len(self.words) else torch.zeros(0, 4, dtype=torch.int64)
        gold, words = gold[gold[:, 1] >= 0], words[words[:, 1] >= 0]
        if not len(gold):
            return gold[:, 0], gold[:, 0], gold[:, 0]
        width = int(gold[:, 1].max()) + 1
        keys, order = torch.sort(gold[:, 0] * width + gold[:, 1])
        example, right = gold[order, 0], gold[order, 2]
        copies = words[:, 3].clamp(min=1)
        words = words.repeat_interleave(copies, 0)
        later = torch.arange(len(words)) - torch.repeat_interleave(copies.cumsum(0) - copies, copies)
        tags = torch.where(later > 0, self.next[words[:, 2]], words[:, 2])
        guess = torch.full_like(right, self.none)
        wanted = words[:, 0] * width + words[:, 1] + later
        places = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
        asked = keys[places] == wanted
        guess[places[asked]] = tags[asked]
        return example, self.filled(example, guess), right

    def filled(self, example: Tensor, guess: Tensor) -> Tensor:
        """Return (words,): the tags with something in place of `none`."""
        raise TypeError(f"{type(self).__name__} must define `filled`.")

    def around(self, example: Tensor, guess: Tensor) -> tuple[Tensor, Tensor]:
        """Return (words,) each: the nearest tags before and after a word in its sentence, itself included."""
        places = torch.arange(len(guess))
        has_tag = guess != self.none
        before = torch.where(has_tag, places, -1).cummax(0).values
        after = torch.where(has_tag, places, len(guess)).flip(0).cummin(0).values.flip(0)
        nearest = []
        for place in (before, after):
            inside = (place >= 0) & (place < len(guess))
            place = place.clamp(0, len(guess) - 1)
            nearest.append(torch.where(inside & (example[place] == example), guess[place], self.none))
        return nearest[0], nearest[1]


class EntityScore(WordScore):
    """Precision, recall or F1 of the entities, over all of them (micro average).

    Right only if beginning, end and kind are (CoNLL-2003; seqeval's strict mode in IOB2).

    Args:
        labels: the tag names by index: `O`, `B-PER`, `I-PER`, ...
        kind: which score.
    """

    higher_is_better = True

    def __init__(self, labels: Sequence[str], kind: Literal["precision", "recall", "f1"]) -> None:
        super().__init__(labels)
        self.kind = kind
        self.types = sorted({name[2:] for name in labels if name[:2] in ("B-", "I-")})
        # The type of each tag, -1 for O, and whether it begins or continues an entity.
        names = [*labels, ""]
        types = [self.types.index(n[2:]) if n[:2] in ("B-", "I-") else -1 for n in names]
        self.type_of = torch.tensor(types, device="cpu")
        self.begins = torch.tensor([n.startswith("B-") for n in names], device="cpu")
        self.continues = torch.tensor([n.startswith("I-") for n in names], device="cpu")

    def continuing(self, tag: str) -> str:
        """Return the I- tag of a B- one, any other as it is."""
        return continued(tag)

    def filled(self, example: Tensor, guess: Tensor) -> Tensor:
        """Return the tags, a word without a token inside of an entity that goes on after it, and outside of others."""
        before, after = self.around(example, guess)
        return torch.where((guess == self.none) & (self.next[before] == after), after, guess)

    def _entities(self, tags: Tensor, example: Tensor) -> tuple[Tensor, Tensor]:
        """Return (words,): where the entity that begins at a word ends, -1 where none does; and its type."""
        kinds = self.type_of[tags]
        same: Tensor = torch.zeros_like(kinds, dtype=torch.bool)
        same[1:] = self.continues[tags][1:] & (kinds[1:] == kinds[:-1]) & (example[1:] == example[:-1])
        starts = torch.nonzero(~same).squeeze(1)
        ends = torch.full_like(kinds, -1)
        ends[starts] = torch.cat((starts[1:], torch.tensor([len(tags)])))
        return torch.where(self.begins[tags], ends, -1), kinds  # what does not begin with B- is none

    def counts(self) -> Tensor:
        """Return (types, 3) int64: how many entities are right, predicted, and in the gold tags."""
        example, guess, gold = self.dense()
        (ends, kinds), (right_ends, right_kinds) = self._entities(guess, example), self._entities(gold, example)
        both = (ends >= 0) & (ends == right_ends) & (kinds == right_kinds)
        counted = [kinds[both], kinds[ends >= 0], right_kinds[right_ends >= 0]]
        counts: Tensor = torch.stack([torch.bincount(kind, minlength=len(self.types)) for kind in counted], 1)
        return counts

    def compute(self) -> Tensor:
        """Return a scalar, float32; 0 where nothing was predicted or there is nothing."""
        right, predicted, support = self.counts().sum(0).double()
        below = {"precision": predicted, "recall": support, "f1": (predicted + support) / 2}[self.kind]
        score: Tensor = (right / below.clamp(min=0.5)).float()
        return score


class TagAccuracy(WordScore):
    """The share of words that get their right tag, over all words."""

    higher_is_better = True

    def filled(self, example: Tensor, guess: Tensor) -> Tensor:
        """Return the tags, a word without a token with the tag of the word before it, or of the one after."""
        before, after = self.around(example, guess)
        return torch.where(before == self.none, after, before)

    def compute(self) -> Tensor:
        """Return a scalar, float32; 0 where there is nothing."""
        _, guess, gold = self.dense()
        share: Tensor = (guess == gold).sum().float() / max(1, len(gold))
        return share


def whole_tags(words: dict[int, tuple[str, float, int]], count: int, spans: bool) -> list[tuple[str, float]]:
    """Return the tag of every word, with how sure it is, as the scores above have it.

    Args:
        words: of those that a token answers for, by number: tag, probability, and for how many words it is.
        count: of words in the sentence.
        spans: whether tags are IOB2, or names of words.

    Returns:
        (count,) pairs.
    """
    answered: list[tuple[str, float] | None] = [None] * count
    for number, (tag, chance, covers) in words.items():
        after = continued(tag) if spans else tag
        answered[number : number + covers] = [(tag, chance), *[(after, chance)] * (covers - 1)]
    before: tuple[str, float] = ("O" if spans else "", 1.0)
    whole: list[tuple[str, float]] = []
    for number, pair in enumerate(answered):
        if pair is None:
            after_it = next((later for later in answered[number:] if later is not None), None)
            if spans:
                pair = after_it if after_it and continued(before[0]) == after_it[0] else ("O", 1.0)
            else:
                pair = before if before[0] else after_it or before
        elif before != pair:
            before = pair
        whole.append(pair)
    return whole
