from __future__ import annotations

from itertools import pairwise

import numpy as np

from pretune.datamodules.surveying import Looked, spread, survey_of


def test_all_rows_or_stretches_that_are_spread_evenly() -> None:
    assert spread(0, 10) == [(0, 0)]
    assert spread(10, 10) == [(0, 10)]
    stretches = spread(1000, 128)
    assert len(stretches) == 64
    assert sum(last - first for first, last in stretches) == 128
    assert stretches[0] == (0, 2)
    assert stretches[-1] == (998, 1000)
    assert all(a[1] <= b[0] for a, b in pairwise(stretches))


def looked(*hashes: int) -> Looked:
    every = np.arange(len(hashes))
    return Looked(10 * every, every + 1, np.array(hashes, np.uint64))


def test_copies_and_leaks_by_hand() -> None:
    """What has no token is a copy of nothing."""
    survey = survey_of("train", {"train": looked(5, 6, 5, 0, 0, 5), "test": looked(0, 6)}, 6, "rows", str)
    assert [(s.split, s.count, s.first) for s in survey.shared] == [("train", 2, "20"), ("test", 1, "10")]
    assert list(survey.lengths) == [1, 2, 3, 4, 5, 6]
    assert not survey.is_sample
    assert survey_of("train", {"train": looked(1, 2)}, 50, "rows", str).is_sample
