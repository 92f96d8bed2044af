from __future__ import annotations

import numpy as np

from pretune.datamodules.tables.multi_hot import MultiHot


def test_it_reads_as_the_matrix() -> None:
    rng = np.random.default_rng(0)
    matrix = (rng.random((20, 7)) < 0.3).astype(np.float32)
    sparse = MultiHot(np.cumsum(matrix.sum(1)).astype(np.int64), np.nonzero(matrix)[1], 7)
    assert len(sparse) == 20
    assert sparse.tolist() == matrix.tolist()
    assert (sparse[[3, 0, 3]] == matrix[[3, 0, 3]]).all()
    assert sparse[[3]].dtype == np.float32
    some = rng.permutation(20)[:9]
    assert sparse.of(some).tolist() == matrix[some].tolist()
    assert (sparse.of(some).counts() == matrix[some].sum(0)).all()


def test_two_spellings_of_one_label_count_once() -> None:
    sparse = MultiHot(np.array([2, 3]), np.array([1, 1, 0]), 3)
    assert sparse.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert sparse.counts().tolist() == [1, 1, 0]


def test_two_million_rows_of_five_thousand_labels_are_small() -> None:
    rows = 2_000_000
    sparse = MultiHot(np.arange(1, rows + 1), np.arange(rows, dtype=np.int32) % 5000, 5000)
    assert sparse.of(np.arange(0, rows, 2))[[0, 1]].shape == (2, 5000)
    assert sparse.counts().sum() == rows
