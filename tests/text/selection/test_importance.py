"""Importance to a target: weights by hand, and what they draw."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from pretune.text.selection.importance import Bag, log_ratios, log_weights
from pretune.text.selection.units import buckets

SIZE = 1 << 16


def bucket(text: str) -> int:
    """The bucket of a word, or of a pair of words."""
    return int(buckets([text], SIZE)[0][-1])


def test_weights_by_hand() -> None:
    corpus, target = ["a b", "a a", "c"], ["a b b"]
    bags = [Bag.of(texts, SIZE) for texts in (target, corpus)]
    # Of the corpus: a 3, b 1, c 1, "a b" 1, "a a" 1. Of the target: a 1, b 2, "a b" 1, "b b" 1.
    assert [int(bags[1].counts[bucket(x)]) for x in ("a", "b", "c", "a b", "a a")] == [3, 1, 1, 1, 1]
    assert bags[0].counts.sum() == 5
    assert bags[1].counts.sum() == 7

    def ratio(of_target: int, of_corpus: int) -> float:
        raw = of_corpus / 7
        return math.log((of_target + SIZE * raw) / (5 + SIZE) / raw)

    ratios = log_ratios(*bags)
    assert ratios[bucket("a")] == pytest.approx(ratio(1, 3), abs=1e-15)
    assert ratios[bucket("c")] == pytest.approx(ratio(0, 1), abs=1e-15)
    assert ratios[bucket("b b")] == 0  # no document has it
    by_hand = [
        ratio(1, 3) + ratio(2, 1) + ratio(1, 1),
        2 * ratio(1, 3) + ratio(0, 1),
        ratio(0, 1),
        0.0,
    ]
    assert log_weights([*corpus, ""], ratios) == pytest.approx(by_hand, abs=1e-14)


def test_few_buckets_by_hand() -> None:
    """With two buckets the smoothing is two n-grams, and the numbers can be done on paper."""
    ratios = log_ratios(Bag(np.array([3, 1])), Bag(np.array([2, 6])))
    assert ratios == pytest.approx([math.log((3 + 0.5) / 6 / 0.25), math.log((1 + 1.5) / 6 / 0.75)])


def test_bags_add_up() -> None:
    texts = ["the film", "a book", "", "the end, the end"]
    both = Bag.of(texts[:1], 100) + Bag.of(texts[1:], 100)
    assert both.counts.tolist() == Bag.of(texts, 100).counts.tolist()
    assert log_weights(texts, np.arange(100.0))[3] == log_weights(texts[3:], np.arange(100.0))[0]


@pytest.mark.parametrize("joint", [" ", ""])
def test_texts_like_the_target_weigh_more(joint: str) -> None:
    """Of words, and of Chinese characters without spaces between them."""
    rng = random.Random(0)
    wanted, other = [chr(0x4E00 + i) for i in range(200)], [chr(0x5E00 + i) for i in range(200)]

    def texts(units: list[str], count: int) -> list[str]:
        return [joint.join(rng.choices(units + wanted[:20], k=30)) for _ in range(count)]

    target, good, bad = texts(wanted, 20), texts(wanted, 30), texts(other, 300)
    weights = log_weights(good + bad, log_ratios(Bag.of(target, 10_000), Bag.of(good + bad, 10_000)))
    assert weights[:30].min() > weights[30:].max()
