"""How many rows of each label are held out, and which."""

from __future__ import annotations

import numpy as np
import pytest

from pretune.contracts.random_streams import HELD_OUT_ROWS
from pretune.text.splitting import hold_out


def counts(labels: np.ndarray, rows: np.ndarray) -> list[int]:
    return np.bincount(labels[rows], minlength=labels.max() + 1).tolist()


@pytest.mark.parametrize(
    ("labels", "rows", "fraction", "held"),
    [
        (77, 4, 0.1, 31),  # of 308: 0.4 a label, which is nothing if each is rounded by itself
        (77, 5, 0.1, 38),  # of 385
        (77, 6, 0.1, 46),  # of 462: 0.6 a label, which would be 77
        (3000, 2, 0.2, 1200),
        (3000, 2, 0.8, 3000),  # a row of each label trains
        (50, 3, 0.9, 100),
    ],
)
def test_many_labels_of_few_rows_give_their_share_in_all(labels: int, rows: int, fraction: float, held: int) -> None:
    values = np.random.default_rng(0).permutation(np.repeat(np.arange(labels), rows))
    for seed in (0, 1):
        train, validation = hold_out(values, fraction, seed)
        assert len(validation) == held
        assert (np.sort(np.concatenate([train, validation])) == np.arange(len(values))).all()
        assert min(counts(values, train)) >= 1
        each = counts(values, validation)
        assert max(each) - min(each) <= 1  # as they all have as many rows
        assert (hold_out(values, fraction, seed)[1] == validation).all()
    assert (hold_out(values, fraction, 0)[1] != hold_out(values, fraction, 1)[1]).any()


def test_the_largest_remainders_give_a_row_more() -> None:
    sizes = np.array([4] * 10 + [3] * 10 + [2] * 10)  # 0.4, 0.3, 0.2: 9 of 90, which the first ten are nearest to
    labels = np.repeat(np.arange(30), sizes)
    each = counts(labels, hold_out(labels, 0.1, 0)[1])
    assert sum(each[:10]) == 9
    assert not any(each[10:])


def test_labels_of_one_row_are_trained_on_and_no_other_label_pays_for_them() -> None:
    labels = np.concatenate([np.arange(100), np.full(10, 100)])  # 22 of 110 would be more than the last one has
    train, validation = hold_out(labels, 0.2, 0)
    assert set(labels[train]) == set(range(101))
    assert (labels[validation] == 100).all()
    assert len(validation) == 3
    for seed in range(8):
        assert hold_out(np.array([0, 1, 1, 2]), 0.1, seed)[1].item() in (1, 2)
    train, validation = hold_out(np.arange(40), 0.6, 0)  # one row has to be given, as everywhere
    assert len(validation) == 1


@pytest.mark.parametrize(("sizes", "fraction"), [((40, 61, 99), 0.1), ((15, 15), 0.1), ((5, 5), 0.1), ((500,), 0.05)])
def test_splits_of_few_labels_are_those_of_earlier_versions(sizes: tuple[int, ...], fraction: float) -> None:
    labels = np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))
    rng = np.random.default_rng([3, HELD_OUT_ROWS])
    expected = np.zeros(len(labels), bool)
    for label in range(len(sizes)):
        rows = rng.permutation(np.flatnonzero(labels == label))
        expected[rows[: round(fraction * len(rows))]] = True
    if not expected.any():
        expected[rng.integers(len(labels))] = True
    assert (hold_out(labels, fraction, 3)[1] == np.flatnonzero(expected)).all()
