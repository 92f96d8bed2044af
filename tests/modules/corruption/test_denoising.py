from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from pretune.modules.corruption.denoising import (
    bart_infill,
    compact,
    most_spans,
    poisson_lengths,
    poisson_spans,
    random_spans,
    span_starts,
    spans_in,
    t5_corrupt,
)
from pretune.modules.corruption.hashing import row_keys

MASK, END, PAD = 4, 3, 0
SENTINELS = torch.arange(1000, 1100)


def rows_of(count: int, length: int, framed: bool = False, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    ids = torch.randint(10, 900, (count, length), generator=torch.Generator().manual_seed(seed))
    free = torch.ones_like(ids, dtype=torch.bool)
    if framed:
        free[:, [0, -1, length // 2]] = False
        ids = ids.masked_fill(~free, 2)
    return ids, free, row_keys(ids, torch.ones_like(ids), seed)


def lengths_of_runs(row: list[bool]) -> list[int]:
    return [len(part) for part in "".join("x" if flag else " " for flag in row).split()]


def t5_by_hand(ids: list[int], noise: list[bool]) -> tuple[list[int], list[int]]:
    inputs: list[int] = []
    target: list[int] = []
    number, before = 0, False
    for token, hidden in zip(ids, noise, strict=True):
        if hidden and not before:
            inputs.append(1000 + number)
            target.append(1000 + number)
            number += 1
        (target if hidden else inputs).append(token)
        before = hidden
    return inputs, [*target, 1000 + number, END]


def test_the_example_of_the_paper() -> None:
    words = ["Thank", "you", "for", "inviting", "me", "to", "your", "party", "last", "week"]
    noise = torch.tensor([[word in ("for", "inviting", "last") for word in words]])
    ids = torch.arange(10, 20)[None]
    inputs, mask, labels = t5_corrupt(ids, torch.ones_like(ids), noise, SENTINELS, END, PAD)
    names = {1000: "<X>", 1001: "<Y>", 1002: "<Z>", END: "</s>", **dict(enumerate(words, 10))}
    assert " ".join(names[i] for i in inputs[0].tolist()) == "Thank you <X> me to your party <Y> week"
    assert " ".join(names[i] for i in labels[0].tolist()) == "<X> for inviting <Y> last <Z> </s>"
    assert mask.all()


@pytest.mark.parametrize("framed", [False, True])
def test_sentinels_against_a_plain_loop_and_back(framed: bool) -> None:
    ids, free, _ = rows_of(300, 61, framed)
    real = torch.ones_like(ids)
    real[100:, 45:] = 0
    ids[real == 0] = PAD
    free &= real.bool()
    noise = random_spans(free, row_keys(ids, real, 0), 0.3, 3.0)
    inputs, mask, labels = t5_corrupt(ids, real, noise, SENTINELS, END, PAD)
    for i in range(len(ids)):
        n = int(real[i].sum())
        expected = t5_by_hand(ids[i, :n].tolist(), noise[i, :n].tolist())
        assert inputs[i][mask[i].bool()].tolist() == expected[0]
        assert labels[i][labels[i] != -100].tolist() == expected[1]
        assert (inputs[i][mask[i] == 0] == PAD).all()
        spans: dict[int, list[int]] = {}
        for token in expected[1][:-1]:
            if token >= 1000:
                spans[token] = []
            else:
                spans[max(spans)].append(token)
        back = [t for token in expected[0] for t in (spans[token] if token >= 1000 else [token])]
        assert back == ids[i, :n].tolist()


def test_spans_without_a_sentinel_stay() -> None:
    """Separators divide spans, and a row may then have more of them than `most_spans` says."""
    ids, free, keys = rows_of(100, 256)
    free[:, ::4] = False
    noise = random_spans(free, keys, 0.15, 3.0)
    sentinels = SENTINELS[: most_spans(256, 0.15, 3.0)]
    assert spans_in(noise).max() >= len(sentinels)
    inputs, mask, labels = t5_corrupt(ids, torch.ones_like(ids), noise, sentinels, END, PAD)
    for i in range(len(ids)):
        number = span_starts(noise[i : i + 1])[0].long().cumsum(0)
        served = (noise[i] & (number < len(sentinels))).tolist()
        expected = t5_by_hand(ids[i].tolist(), served)
        assert (inputs[i][mask[i].bool()].tolist(), labels[i][labels[i] != -100].tolist()) == expected


@pytest.mark.parametrize("density", [0.15, 0.5])
def test_counts_are_exact(density: float) -> None:
    for length in [*range(1, 30), 128, 512]:
        _, free, keys = rows_of(20, length)
        noise = random_spans(free, keys, density, 3.0)
        if length == 1:
            assert not noise.any()
            continue
        tokens = min(max(1, round(length * density)), length - 1)
        spans = min(max(1, round(tokens / 3)), length - tokens)
        assert (noise.sum(1) == tokens).all()
        assert (spans_in(noise) == spans).all()
        assert not noise[:, 0].any()
        assert most_spans(length, density, 3.0) >= spans + 1


@pytest.mark.parametrize("density", [0.01, 0.07, 0.09, 0.3, 0.57, 0.99])
@pytest.mark.parametrize("mean", [1.0, 2.5, 10.0])
def test_counts_round_as_python_does(density: float, mean: float) -> None:
    """float32 would not: 150 * 0.07 is 10.5 there, and 650 * 0.09 is 58.5."""
    lengths = torch.tensor([2, 3, 4, 7, 10, 50, 150, 350, 550, 650])
    free = torch.arange(650) < lengths[:, None]
    ids, _, _ = rows_of(len(lengths), 650)
    noise = random_spans(free, row_keys(ids, free.long(), 0), density, mean)
    hidden, _ = poisson_spans(free, row_keys(ids, free.long(), 0), density, mean)
    tokens = [max(1, min(n - 1, round(n * density))) for n in lengths.tolist()]
    assert noise.sum(1).tolist() == hidden.sum(1).tolist() == tokens
    spans = [min(max(1, round(k / mean)), n - k) for n, k in zip(lengths.tolist(), tokens, strict=True)]
    assert spans_in(noise).tolist() == spans
    assert all(most_spans(n, density, mean) > k for n, k in zip(lengths.tolist(), spans, strict=True))
    assert not (noise & ~free).any()


def test_nothing_is_hidden_where_nothing_may_be() -> None:
    ids, free, keys = rows_of(3, 5)
    free[0] = False
    free[1] = torch.arange(5) == 2
    noise = random_spans(free, keys, 0.5, 3.0)
    hidden, inserted = poisson_spans(free, keys, 0.5, 3.0)
    assert not noise[:2].any()
    assert not hidden[:2].any()
    assert not inserted[:2].any()
    inputs, mask, labels = t5_corrupt(ids[:2], torch.ones_like(ids[:2]), noise[:2], SENTINELS, END, PAD)
    assert torch.equal(inputs, ids[:2])
    assert mask.all()
    assert labels.tolist() == [[1000, END]] * 2
    assert torch.equal(infilled(ids[:2], free[:2], keys[:2])[0], ids[:2])


def test_spans_are_random_segmentations() -> None:
    """Of 10 noise tokens in 3 spans, each of the 36 segmentations comes as often; so does each of the kept ones."""
    _, free, keys = rows_of(7200, 64)
    noise = random_spans(free, keys, 10 / 64, 10 / 3)
    found: Counter[tuple[int, ...]] = Counter()
    first: list[int] = []
    for row in noise.tolist():
        found[tuple(lengths_of_runs(row))] += 1
        first.append(row.index(True))
    assert len(found) == math.comb(9, 2)
    deviation = math.sqrt(7200 / 36 * (1 - 1 / 36))
    assert all(abs(n - 200) < 4 * deviation for n in found.values())  # 36 of them: one may well lie beyond 3
    chi = sum((n - 200) ** 2 / 200 for n in found.values())
    assert abs(chi - 35) < 3 * math.sqrt(70)
    # The first kept segment of 54 tokens in 3: P(k) = (53 - k) / C(53, 2), of mean 18.
    expected = sum(k * (53 - k) for k in range(1, 53)) / math.comb(53, 2)
    spread = math.sqrt(sum(k * k * (53 - k) for k in range(1, 53)) / math.comb(53, 2) - expected**2)
    assert abs(sum(first) / len(first) - expected) < 3 * spread / math.sqrt(len(first))


def bart_by_hand(ids: list[int], noise: list[bool], inserted: list[bool]) -> list[int]:
    inputs: list[int] = []
    before = False
    for token, hidden, extra in zip([*ids, PAD], [*noise, False], inserted, strict=True):
        if extra:
            inputs.append(MASK)
        if not hidden:
            inputs.append(token)
        elif not before:
            inputs.append(MASK)
        before = hidden
    return inputs[:-1]


def infilled(ids: Tensor, free: Tensor, keys: Tensor, density: float = 0.15) -> tuple[Tensor, Tensor]:
    return bart_infill(ids, torch.ones_like(ids), free, keys, MASK, PAD, density, 3.0)


@pytest.mark.parametrize("framed", [False, True])
def test_infilling_hides_an_exact_share_behind_one_mask_a_span(framed: bool) -> None:
    for length in (2, 3, 5, 9, 40, 128):
        ids, free, keys = rows_of(60, length, framed and length > 5)
        noise, inserted = poisson_spans(free, keys, 0.3, 3.0)
        n = int(free[0].sum())
        hidden = min(max(1, round(n * 0.3)), n - 1)
        assert (noise.sum(1) == hidden).all()
        assert not (noise & ~free).any()
        inputs, mask = infilled(ids, free, keys, 0.3)
        for i in range(len(ids)):
            row = inputs[i][mask[i].bool()].tolist()
            assert row == bart_by_hand(ids[i].tolist(), noise[i].tolist(), inserted[i].tolist())
            assert [t for t in row if t != MASK] == ids[i][~noise[i]].tolist()  # what stays, in its order
            if not framed:
                assert all((a, b) != (MASK, MASK) for a, b in pairwise(row))  # slots are apart


@pytest.mark.parametrize("mean", [1.0, 3.0, 40.0])
def test_drawn_lengths_are_poisson(mean: float) -> None:
    _, _, keys = rows_of(200, 512)
    drawn = poisson_lengths(keys, mean)
    n = drawn.numel()
    assert abs(float(drawn.double().mean()) - mean) < 3 * math.sqrt(mean / n)
    found = torch.bincount(drawn.flatten()).tolist()
    chances = [math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(len(found))]
    cells = [(seen, n * chance) for seen, chance in zip(found, chances, strict=True) if n * chance > 10]
    chi = sum((seen - expected) ** 2 / expected for seen, expected in cells)
    assert abs(chi - len(cells)) < 3 * math.sqrt(2 * len(cells))


def test_spans_are_poisson_and_lie_anywhere() -> None:
    ids, free, keys = rows_of(800, 512)
    noise, inserted = poisson_spans(free, keys, 0.3, 3.0)
    found = Counter({0: int(inserted.sum())})
    for row in noise.tolist():
        found.update(lengths_of_runs(row))
    # The span that is cut to the share is one of 50 in a row: it moves the shares by less than a fiftieth.
    n = sum(found.values())
    for length in range(8):
        chance = math.exp(-3) * 3**length / math.factorial(length)
        assert abs(found[length] / n - chance) < 3 * math.sqrt(chance / n) + chance / 50 + 0.002, length
    share = noise.float().mean(0)
    assert float((share[8:-8] - share[8:-8].mean()).abs().max()) < 5 * math.sqrt(0.21 / len(ids))


def test_infilling_is_the_same_from_both_ends() -> None:
    """The first and the last span of a row are as long on average, and as often empty."""
    _, free, keys = rows_of(6000, 48)
    noise, inserted = poisson_spans(free, keys, 0.3, 3.0)
    pairs = [(parts[0], parts[-1]) for row in noise.tolist() if len(parts := lengths_of_runs(row)) > 1]
    gaps = torch.tensor([a - b for a, b in pairs], dtype=torch.double)
    assert abs(float(gaps.mean())) < 3 * float(gaps.std()) / math.sqrt(len(gaps))
    begin, end = int(inserted[:, 0].sum()), int(inserted[:, -1].sum())
    assert min(begin, end) > 20
    assert abs(begin - end) < 3 * math.sqrt(begin + end)
    early, late = noise[:, :4].sum(1).double(), noise[:, -4:].sum(1).double()
    assert abs(float((early - late).mean())) < 3 * float((early - late).std()) / math.sqrt(len(early))


def rows_without_padding(found: tuple[Tensor, ...]) -> list[list[list[int]]]:
    """Of (inputs, mask) or (inputs, mask, labels): the real tokens of each."""
    real = [found[1].bool(), *(labels != -100 for labels in found[2:])]
    values = [found[0], *found[2:]]
    return [[v[i][r[i]].tolist() for v, r in zip(values, real, strict=True)] for i in range(len(found[0]))]


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("density", [0.15, 0.5])
def test_batches_and_padding_change_nothing(framed: bool, density: float) -> None:
    length = 40
    ids, free, _ = rows_of(200, length, framed)

    def both(rows: slice, padding: int) -> list[Any]:
        wide, open_ = (torch.nn.functional.pad(x[rows], (0, padding)) for x in (ids, free))
        real = torch.nn.functional.pad(torch.ones_like(ids[rows]), (0, padding))
        keys = row_keys(wide, real, 7)
        noise = random_spans(open_, keys, density, 3.0)
        assert not (noise & ~open_).any()
        t5 = t5_corrupt(wide, real, noise, SENTINELS, END, PAD)
        bart = bart_infill(wide, real, open_, keys, MASK, PAD, density, 3.0)
        assert all(x.dtype == torch.int64 for x in (*t5, *bart))
        return [rows_without_padding(t5), rows_without_padding(bart)]

    t5, bart = both(slice(None), 0)
    assert both(slice(None), 13) == [t5, bart]
    for i in range(20):
        assert both(slice(i, i + 1), i % 5) == [t5[i : i + 1], bart[i : i + 1]]


def test_equal_draws_keep_their_order() -> None:
    """Keys that are all the same tie everywhere; the counts are exact nevertheless, and padding changes nothing."""
    free = torch.ones(4, 50, dtype=torch.bool)
    keys = torch.full((4, 50), 11)
    wide, open_ = torch.nn.functional.pad(keys, (0, 500), value=11), torch.nn.functional.pad(free, (0, 500))
    noise = random_spans(free, keys, 0.3, 3.0)
    assert (noise.sum(1) == 15).all()
    assert (spans_in(noise) == 5).all()
    assert torch.equal(random_spans(open_, wide, 0.3, 3.0)[:, :50], noise)


def test_draws_change_with_the_keys() -> None:
    _, free, keys = rows_of(30, 40)
    assert not torch.equal(random_spans(free, keys, 0.15, 3.0), random_spans(free, keys + 1, 0.15, 3.0))
    assert not torch.equal(poisson_spans(free, keys, 0.15, 3.0)[0], poisson_spans(free, keys + 1, 0.15, 3.0)[0])


def test_compact() -> None:
    values = torch.tensor([[5, 6, 7, 8], [1, 2, 3, 4], [9, 9, 9, 9]])
    keep = torch.tensor([[True, False, True, True], [False, False, True, False], [False] * 4])
    found: Any = compact(values, keep, -1)
    assert found[0].tolist() == [[5, 7, 8], [3, -1, -1], [-1, -1, -1]]
    assert found[1].tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0]]
