"""Drawing documents."""

from __future__ import annotations

import numpy as np
import pytest

from pretune.text.selection.drawing import gumbel_noise, shares, thresholds


def test_noise_is_gumbels_and_depends_on_text_and_seed_only() -> None:
    texts = [f"text {i}" for i in range(20_000)]
    noise = gumbel_noise(texts, 1)
    assert noise.mean() == pytest.approx(0.5772, abs=0.03)
    assert noise.var() == pytest.approx(np.pi**2 / 6, abs=0.06)
    assert gumbel_noise(texts[::-1], 1)[::-1].tolist() == noise.tolist()
    assert abs(np.corrcoef(noise, gumbel_noise(texts, 2))[0, 1]) < 0.03


def test_the_largest_are_a_sample_by_weight() -> None:
    """Of three documents with weights 1, 2 and 5, the largest key is each one's as often as its weight says."""
    noise = gumbel_noise([f"{i}" for i in range(30_000)], 0).reshape(-1, 3)
    first = (noise + np.log([1, 2, 5])).argmax(axis=1)
    assert np.bincount(first) / len(noise) == pytest.approx([1 / 8, 2 / 8, 5 / 8], abs=0.02)


@pytest.mark.parametrize(
    ("sizes", "count", "taken"),
    [
        ([10, 10, 10], 6, [2, 2, 2]),
        ([1, 10, 10], 7, [1, 3, 3]),
        ([1, 10, 10], 8, [1, 4, 3]),
        ([0, 3, 1], 4, [0, 3, 1]),
        ([5, 5], 0, [0, 0]),
        ([9], 4, [4]),
    ],
)
def test_groups_come_close_to_each_other(sizes: list[int], count: int, taken: list[int]) -> None:
    assert shares(np.array(sizes), count).tolist() == taken


def test_thresholds_by_hand() -> None:
    keys, groups = np.array([1.0, 5, 3, 2, 9, 9]), np.array([0, 0, 0, 2, 3, 3])
    least = thresholds(keys, groups, 4)  # two of the first, no document in the second
    assert least.tolist() == [3.0, np.inf, 2.0, 9.0]
    assert (keys >= least[groups]).tolist() == [False, True, True, True, True, True]  # copies stay together
    assert thresholds(keys[:3], groups[:3], 3).tolist() == [1.0]
