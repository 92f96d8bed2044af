"""BERT's corruption: which tokens are hidden, and behind what.

Every draw is a hash of the seed and the example, see `hashing`: it depends neither on the batch nor on the device.
"""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor

from ...contracts.random_streams import (
    MASKED_COUNT,
    MASKED_HOW,
    MASKED_PLACE,
    MASKED_SPAN_LENGTH,
    MASKED_SPAN_SLOT,
    RANDOM_TOKEN,
)
from .hashing import integers, uniform


def choose_tokens(keys: Tensor, maskable: Tensor, probability: float) -> Tensor:
    """Choose each token by itself (arXiv 1810.04805, section 3.1), at least one in a row: no example is lost.

    Args:
        keys: (rows, length), from `row_keys`.
        maskable: (rows, length), boolean; False on special tokens and padding.
        probability: chance of a token to be chosen.

    Returns:
        (rows, length), boolean.
    """
    draw = uniform(keys, MASKED_PLACE).masked_fill(~maskable, 2.0)
    lowest = torch.zeros_like(maskable).scatter_(1, draw.argmin(dim=1, keepdim=True), True)
    return ((draw < probability) | lowest) & maskable


def choose_words(keys: Tensor, maskable: Tensor, word_ids: Tensor, probability: float) -> Tensor:
    """Choose each word by itself, with all of its tokens (whole-word masking); at least one word in a row.

    Args:
        keys: (rows, length), from `row_keys`.
        maskable: (rows, length), boolean.
        word_ids: (rows, length), the number of the word that a token belongs to.
        probability: chance of a word to be chosen.

    Returns:
        (rows, length), boolean.
    """
    starts = _word_starts(maskable, word_ids)
    return choose_tokens(keys, starts, probability).gather(1, _last(starts)) & maskable


def choose_spans(
    keys: Tensor, maskable: Tensor, word_ids: Tensor, probability: float, stop: float, longest: int
) -> Tensor:
    """Choose spans of whole words, their lengths geometrically distributed (SpanBERT, arXiv 1907.10529, section 3.1).

    As many spans as hide `probability` of the words on average. Spans do not touch, so that each can be told from the
    next; where a row is too short for them, the last ones are cut or left out.

    Args:
        keys: (rows, length), from `row_keys`.
        maskable: (rows, length), boolean.
        word_ids: (rows, length), the number of the word that a token belongs to.
        probability: share of the words to hide.
        stop: the p of the geometric distribution of lengths.
        longest: the most words in a span; longer draws do not occur.

    Returns:
        (rows, length), boolean.
    """
    starts = _word_starts(maskable, word_ids)
    words = starts.sum(1)
    chances = [(1 - stop) ** i for i in range(longest)]
    mean = sum((i + 1) * chance for i, chance in enumerate(chances)) / sum(chances)
    below = torch.tensor(list(accumulate(chance / sum(chances) for chance in chances)), device=keys.device)
    spare = uniform(keys[:, :1], MASKED_COUNT).squeeze(1)
    count = (words * probability / mean + spare).long().clamp(min=1).minimum((words + 1) // 2)
    order = torch.arange(keys.shape[1], device=keys.device)
    lengths = torch.searchsorted(below, uniform(keys, MASKED_SPAN_LENGTH)).clamp(max=longest - 1) + 1
    lengths = lengths * (order < count.unsqueeze(1))
    # Between two spans at least one word stays: that leaves so many words to hide at most.
    room = (words - (count - 1).clamp(min=0)).unsqueeze(1)
    lengths = lengths.cumsum(1).minimum(room).diff(dim=1, prepend=torch.zeros_like(room))
    hidden = _place(keys, words, lengths)
    return hidden.gather(1, (starts.cumsum(1) - 1).clamp(min=0)) & maskable


def _place(keys: Tensor, words: Tensor, lengths: Tensor) -> Tensor:
    """Put spans at random, in their order and apart from each other, among the `words` of each row.

    The words that stay have a slot before, between and after them; every span takes one slot, none shares it.
    """
    lengths = torch.cat((lengths, torch.zeros_like(lengths[:, :1])), dim=1)
    used = lengths > 0
    slots = words - lengths.sum(1) + 1
    order = torch.arange(lengths.shape[1], device=keys.device)
    draw = uniform(torch.cat((keys, keys[:, :1] + 1), dim=1), MASKED_SPAN_SLOT).masked_fill(
        order >= slots.unsqueeze(1), 2.0
    )
    rank = draw.argsort(dim=1, stable=True).argsort(dim=1)
    taken = rank < used.sum(1, keepdim=True)
    chosen = torch.where(taken, order, lengths.shape[1]).sort(1).values  # of the i-th span: how many words stay before
    begin = (chosen + lengths.cumsum(1) - lengths).clamp(max=lengths.shape[1] - 1)
    change = torch.zeros_like(lengths)
    change.scatter_add_(1, begin, used.long())
    change.scatter_add_(1, (begin + lengths).clamp(max=lengths.shape[1] - 1), -used.long())
    return change.cumsum(1) > 0


def corrupt(
    input_ids: Tensor,
    targets: Tensor,
    keys: Tensor,
    *,
    mask_id: int,
    ordinary_ids: Tensor,
    mask_share: float,
    random_share: float,
    alike: bool = False,
) -> Tensor:
    """Hide the targets: behind the mask token, behind a random token, or not at all (arXiv 1810.04805).

    Args:
        input_ids: (rows, length), integers.
        targets: (rows, length), boolean.
        keys: (rows, length), from `row_keys`.
        mask_id: the id of the mask token.
        ordinary_ids: (n,), the ids that a random replacement is drawn from.
        mask_share: share of the targets that become the mask token.
        random_share: share that become a random token; the rest stay.
        alike: whether all tokens of a span share one fate (SpanBERT).

    Returns:
        (rows, length), the corrupted ids.
    """
    how = uniform(keys, MASKED_HOW)
    if alike:
        first = targets & ~torch.nn.functional.pad(targets, (1, -1))
        how = how.gather(1, _last(first))
    hidden = targets & (how < mask_share)
    swapped = targets & (how >= mask_share) & (how < mask_share + random_share)
    random_ids = ordinary_ids[integers(keys, RANDOM_TOKEN, len(ordinary_ids))].to(input_ids.dtype)
    return torch.where(swapped, random_ids, input_ids.masked_fill(hidden, mask_id))


def _word_starts(maskable: Tensor, word_ids: Tensor) -> Tensor:
    """Return where a word begins: its number differs from the one before, or what is before cannot be masked."""
    changed = word_ids.diff(dim=1, prepend=word_ids[:, :1] - 1) != 0
    return maskable & (changed | ~torch.nn.functional.pad(maskable, (1, -1)))


def _last(starts: Tensor) -> Tensor:
    """Return for each place, the last place of a start up to it; 0 where there was none."""
    places = torch.arange(starts.shape[1], device=starts.device)
    return (places * starts).cummax(1).values
