from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from pretune.modules.layers.denoising import (
    bart_infill,
    compact,
    most_spans,
    poisson_spans,
    random_spans,
    span_starts,
    t5_corrupt,
)
from pretune.modules.layers.hashing import row_keys

MASK, END, PAD = 4, 3, 0
SENTINELS = torch.arange(1000, 1100)


def rows_of(count: int, length: int, framed: bool = False, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    ids = torch.randint(10, 900, (count, length), generator=torch.Generator().manual_seed(seed))
    free = torch.ones_like(ids, dtype=torch.bool)
    if framed:
        free[:, [0, -1, length // 2]] = False
        ids = ids.masked_fill(~free, 2)
    return ids, free, row_keys(ids, torch.ones_like(ids), seed)


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
    ids, free, _ = rows_of(50, 61, framed)
    real = torch.ones_like(ids)
    real[20:, 45:] = 0
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
        assert (span_starts(noise).sum(1) == spans).all()
        assert not noise[:, 0].any()
        assert most_spans(length, density, 3.0) >= spans + 1


def test_spans_are_random_segmentations() -> None:
    """Of 10 noise tokens in 3 spans, each of the 36 segmentations comes as often; so does each of the kept ones."""
    _, free, keys = rows_of(7200, 64)
    noise = random_spans(free, keys, 10 / 64, 10 / 3)
    found: Counter[tuple[int, ...]] = Counter()
    first: list[int] = []
    for row in noise.tolist():
        parts = "".join("x" if flag else " " for flag in row).split()
        found[tuple(map(len, parts))] += 1
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
            assert [t for t in row if t != MASK] == ids[i][~noise[i]].tolist()  # what stays, in its order
            masks = int(span_starts(noise[i : i + 1]).sum() + inserted[i].sum())
            assert row.count(MASK) == masks
            if not framed:
                assert all((a, b) != (MASK, MASK) for a, b in pairwise(row))  # slots are apart


def test_lengths_are_poisson() -> None:
    ids, free, keys = rows_of(800, 512)
    noise, inserted = poisson_spans(free, keys, 0.3, 3.0)
    found = Counter({0: int(inserted.sum())})
    for row in noise.tolist():
        parts = [len(part) for part in "".join("x" if flag else " " for flag in row).split()]
        found.update(parts)
    # The span that is cut to the share is one of 50 in a row: it moves the shares by less than a fiftieth.
    n = sum(found.values())
    for length in range(8):
        chance = math.exp(-3) * 3**length / math.factorial(length)
        assert abs(found[length] / n - chance) < 3 * math.sqrt(chance / n) + chance / 50 + 0.002, length
    share = noise.float().mean(0)
    assert float((share[8:-8] - share[8:-8].mean()).abs().max()) < 5 * math.sqrt(0.21 / len(ids))


def test_batches_and_padding_change_nothing() -> None:
    ids, free, _ = rows_of(30, 40, framed=True)
    wide = torch.nn.functional.pad(ids, (0, 13))
    real = torch.nn.functional.pad(torch.ones_like(ids), (0, 13))
    free_wide = torch.nn.functional.pad(free, (0, 13))
    keys, keys_wide = row_keys(ids, torch.ones_like(ids), 7), row_keys(wide, real, 7)
    for draw in (lambda f, k: random_spans(f, k, 0.15, 3.0), lambda f, k: poisson_spans(f, k, 0.15, 3.0)[0],
                 lambda f, k: poisson_spans(f, k, 0.15, 3.0)[1]):  # fmt: skip
        alone, padded = draw(free, keys), draw(free_wide[4:9], keys_wide[4:9])
        assert torch.equal(padded[:, :40], alone[4:9])
        assert not padded[:, 40:].any()
    assert not torch.equal(random_spans(free, keys, 0.15, 3.0), random_spans(free, keys + 1, 0.15, 3.0))


def test_compact() -> None:
    values = torch.tensor([[5, 6, 7, 8], [1, 2, 3, 4], [9, 9, 9, 9]])
    keep = torch.tensor([[True, False, True, True], [False, False, True, False], [False] * 4])
    found: Any = compact(values, keep, -1)
    assert found[0].tolist() == [[5, 7, 8], [3, -1, -1], [-1, -1, -1]]
    assert found[1].tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0]]
