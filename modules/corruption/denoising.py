"""Span corruption: T5's sentinels (arXiv 1910.10683) and BART's infilling (arXiv 1910.13461).

Every draw is a hash of the seed and the example, see `hashing`: it depends neither on the batch nor on the device.
Spans are drawn among the tokens that may be corrupted, as if nothing else stood between them; where a special token
does, the span is divided into two.
"""

from __future__ import annotations

import math
from itertools import accumulate

import torch
from torch import Tensor

from ...contracts import IGNORED
from ...contracts.random_streams import INFILLED_LENGTH, INFILLED_PLACE, KEPT_SPAN, NOISE_SPAN
from .hashing import uniform


def most_spans(length: int, density: float, mean_length: float) -> int:
    """Return the most sentinels that a row of `length` tokens can need, the final one included.

    Each special token that divides a span takes one more.
    """
    noise = min(max(1, round(length * density)), max(1, length - 1))
    return max(1, round(noise / mean_length)) + 1


def random_spans(corruptible: Tensor, keys: Tensor, density: float, mean_length: float) -> Tensor:
    """Return T5's noise: an exact number of tokens in an exact number of spans, which begin after the first token.

    Both the noise and what stays are cut into as many segments, at random, each of at least one token, and are laid
    out in turn.

    Args:
        corruptible: (rows, length), boolean; False on special tokens and padding.
        keys: (rows, length), from `row_keys`.
        density: share of the tokens that is noise.
        mean_length: mean number of tokens in a span.

    Returns:
        (rows, length), boolean; nothing in a row of fewer than two tokens.
    """
    size = corruptible.sum(1)
    numbers = _numbers(keys.shape[1])
    noise = _share(size, numbers * density)
    spans = _rounded(noise, numbers / mean_length).clamp(min=1).minimum(size - noise).minimum(noise)
    segments = [
        _segmented(keys, total, spans, stream) for total, stream in ((size - noise, KEPT_SPAN), (noise, NOISE_SPAN))
    ]
    in_turn = torch.stack(segments, dim=2).flatten(1)  # kept, noise, kept, noise, ...
    ends = in_turn.cumsum(1)
    places = torch.arange(keys.shape[1], device=keys.device)
    segment = torch.searchsorted(ends, places.expand_as(keys).contiguous(), right=True)
    flags = (segment % 2 == 1) & (places < size.unsqueeze(1)) & (noise > 0).unsqueeze(1)
    return _spread(flags, corruptible)


def _numbers(most: int) -> Tensor:
    # On the CPU, and small: float32 rounds some halves the other way than Python, and not every device has float64.
    return torch.arange(most + 1, dtype=torch.float64, device="cpu")


def _rounded(n: Tensor, exact: Tensor) -> Tensor:
    """Return for each n, the n-th of the numbers `exact`, rounded as Python does."""
    return exact.round().long().to(n.device)[n]


def _share(size: Tensor, exact: Tensor) -> Tensor:
    """Return how many of `size` tokens are hidden: at least one, and not all; none of fewer than two."""
    return _rounded(size, exact).clamp(min=1).minimum(size - 1).clamp(min=0)


def _ranks(keys: Tensor, stream: int, allowed: Tensor) -> Tensor:
    """Return a random order of the allowed places, before all others; equal draws keep their own on any device."""
    return uniform(keys, stream).masked_fill(~allowed, 2.0).argsort(dim=1, stable=True).argsort(dim=1)


def _segmented(keys: Tensor, total: Tensor, count: Tensor, stream: int) -> Tensor:
    """Return (rows, length): `total` divided at random into `count` segments of at least 1, then zeros."""
    places = torch.arange(keys.shape[1], device=keys.device)
    between = places < (total - 1).unsqueeze(1)  # a cut lies after one of all tokens but the last
    cut = between & (_ranks(keys, stream, between) < (count - 1).unsqueeze(1))
    number = torch.nn.functional.pad(cut, (1, -1)).long().cumsum(1)
    inside = (places < total.unsqueeze(1)).long()
    return torch.zeros_like(keys).scatter_add_(1, number, inside)


def _spread(flags: Tensor, corruptible: Tensor) -> Tensor:
    """Return the places in the row of places among the corruptible tokens."""
    return flags.gather(1, (corruptible.cumsum(1) - 1).clamp(min=0)) & corruptible


def span_starts(noise: Tensor) -> Tensor:
    """Return (rows, length), boolean: the first token of each run of noise."""
    return noise & ~torch.nn.functional.pad(noise, (1, -1))


def spans_in(noise: Tensor) -> Tensor:
    """Return (rows,), int64: the number of runs of noise."""
    return span_starts(noise).sum(1)


def compact(values: Tensor, keep: Tensor, pad_value: int) -> tuple[Tensor, Tensor]:
    """Move what is kept of each row to its left end.

    Args:
        values: (rows, length).
        keep: (rows, length), boolean.
        pad_value: for the places that are left over.

    Returns:
        (rows, longest), and of the same shape a mask that is 1 on values and 0 on padding.
    """
    count = keep.sum(1)
    longest = int(count.max())
    order = torch.argsort((~keep).to(torch.uint8), dim=1, stable=True)[:, :longest]
    mask = torch.arange(longest, device=values.device) < count.unsqueeze(1)
    return values.gather(1, order).masked_fill(~mask, pad_value), mask.long()


def t5_corrupt(
    input_ids: Tensor, attention_mask: Tensor, noise: Tensor, sentinel_ids: Tensor, eos_id: int, pad_id: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return inputs with sentinels for spans, targets with spans after sentinels (arXiv 1910.10683, section 3.1.4).

    "Thank you for inviting me to your party last week" becomes "Thank you <X> me to your party <Y> week", and the
    target is "<X> for inviting <Y> last <Z>", where <Z> is the final sentinel, and the end of the text.

    Args:
        input_ids: (rows, length), integers.
        attention_mask: (rows, length), 1 on real tokens.
        noise: (rows, length), boolean.
        sentinel_ids: (n,), in the order of their use; one more than there are spans in a row. Spans that it has no
            sentinel for stay in the input, as the last ones of a row with many separators may.
        eos_id: ends a target.
        pad_id: for the places after the end of an input.

    Returns:
        Inputs and their attention mask, (rows, input length), and labels, (rows, target length), -100 after the end.
    """
    starts = span_starts(noise)
    number = starts.long().cumsum(1)
    served = number < len(sentinel_ids)  # the last one is the final sentinel
    starts, noise, number = starts & served, noise & served, number.clamp(max=len(sentinel_ids) - 1)
    sentinels = sentinel_ids[(number - 1).clamp(min=0)]
    real = attention_mask.bool()
    inputs, mask = compact(torch.where(starts, sentinels, input_ids), real & (~noise | starts), pad_id)
    final = sentinel_ids[number[:, -1:]]
    end = torch.full_like(final, eos_id)
    pairs = torch.stack((sentinels, input_ids), dim=2).flatten(1)
    keep = torch.stack((starts, noise), dim=2).flatten(1)
    every = torch.ones_like(final, dtype=torch.bool)
    labels, _ = compact(torch.cat((pairs, final, end), dim=1), torch.cat((keep, every, every), dim=1), IGNORED)
    return inputs, mask, labels


def bart_infill(
    input_ids: Tensor,
    attention_mask: Tensor,
    corruptible: Tensor,
    keys: Tensor,
    mask_id: int,
    pad_id: int,
    density: float,
    mean_length: float,
) -> tuple[Tensor, Tensor]:
    """Put one mask token in the place of each span, of a length from a Poisson distribution (arXiv 1910.13461).

    A span of length 0 inserts a mask token. Spans are drawn until the share of hidden tokens is reached, the last one
    cut to it, and lie at random, apart from each other.

    Args:
        input_ids: (rows, length), integers.
        attention_mask: (rows, length), 1 on real tokens.
        corruptible: (rows, length), boolean; False on special tokens and padding.
        keys: (rows, length), from `row_keys`.
        mask_id: the id of the mask token.
        pad_id: for the places after the end of an input.
        density: share of the tokens that is hidden.
        mean_length: of the Poisson distribution.

    Returns:
        Inputs and their attention mask, (rows, input length).
    """
    noise, inserted = poisson_spans(corruptible, keys, density, mean_length)
    starts = span_starts(noise)
    # One place more than the row has: a mask may follow its last token.
    ids = torch.nn.functional.pad(input_ids.masked_fill(starts, mask_id), (0, 1))
    stays = torch.nn.functional.pad(attention_mask.bool() & (~noise | starts), (0, 1))
    values = torch.stack((torch.full_like(ids, mask_id), ids), dim=2)
    return compact(values.flatten(1), torch.stack((inserted, stays), dim=2).flatten(1), pad_id)


def poisson_lengths(keys: Tensor, mean_length: float) -> Tensor:
    """Return a number from a Poisson distribution for each key; int64."""
    longest = math.ceil(mean_length + 8 * math.sqrt(mean_length) + 8)  # beyond it lies less than a draw can tell
    chances = [math.exp(k * math.log(mean_length) - mean_length - math.lgamma(k + 1)) for k in range(longest + 1)]
    below = torch.tensor(list(accumulate(chances)), dtype=torch.float32, device=keys.device)
    return torch.searchsorted(below, uniform(keys, INFILLED_LENGTH), right=True).clamp(max=longest)


def poisson_spans(corruptible: Tensor, keys: Tensor, density: float, mean_length: float) -> tuple[Tensor, Tensor]:
    """Return the spans of text infilling.

    The tokens that stay have a slot before, between and after them; each span takes one slot, none shares it. Which
    span takes which is random too: else the one that is cut would always be the last of its row.

    Args:
        corruptible: (rows, length), boolean.
        keys: (rows, length), from `row_keys`.
        density: share of the tokens that is hidden.
        mean_length: of the Poisson distribution.

    Returns:
        What is hidden, (rows, length), boolean; and before which places a mask is inserted, (rows, length + 1),
        boolean, the last place being the end of the row.
    """
    width = keys.shape[1]
    size = corruptible.sum(1, keepdim=True)
    hidden = _share(size, _numbers(width) * density)
    slots = size - hidden + 1
    places = torch.arange(width, device=keys.device)
    drawn = poisson_lengths(keys, mean_length)
    before = drawn.cumsum(1) - drawn
    # Up to the span that reaches the share. No more spans than slots, of which the last may have to be longer.
    used = (before < hidden) & (places < slots)
    lengths = drawn.minimum(hidden - before) * used
    last = used & ~torch.nn.functional.pad(used, (-1, 1))
    lengths = lengths + last * (hidden - lengths.sum(1, keepdim=True))
    rank = _ranks(keys, INFILLED_PLACE, places < slots)
    taken = rank < used.sum(1, keepdim=True)
    lengths = lengths.gather(1, rank) * taken  # from here on: of the span in each slot
    filled = (lengths > 0).long()
    begin = places + lengths.cumsum(1) - lengths
    change = torch.zeros(len(keys), width + 1, dtype=torch.long, device=keys.device)
    empty = change.scatter_add(1, begin.clamp(max=width), taken.long() - filled) > 0
    change.scatter_add_(1, begin.clamp(max=width), filled)
    change.scatter_add_(1, (begin + lengths).clamp(max=width), -filled)
    noise = _spread(change.cumsum(1)[:, :width] > 0, corruptible)
    # From places among the corruptible tokens, of which one more follows the last, to places in the row.
    place = torch.nn.functional.pad(corruptible.long(), (1, 0)).cumsum(1)
    end = torch.nn.functional.pad(corruptible, (1, 0)) & (place == size)
    return noise, empty.gather(1, place) & (torch.nn.functional.pad(corruptible, (0, 1)) | end)
