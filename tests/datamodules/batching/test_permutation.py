from __future__ import annotations

import numpy as np
import pytest

from pretune.datamodules.batching.permutation import Permutation


@pytest.mark.parametrize("size", [1, 2, 5, 4096, 100_003])
def test_an_order_that_is_not_held_is_a_permutation(size: int) -> None:
    order = Permutation(size, [1, 2])
    whole = order[:]
    assert np.array_equal(np.sort(whole), np.arange(size))
    assert np.array_equal(whole[3:9], order[3:9])
    if size > 100:
        assert not np.array_equal(whole, Permutation(size, [1, 3])[:])
        assert abs(np.corrcoef(np.arange(size), whole)[0, 1]) < 0.05
        assert abs(np.corrcoef(whole[:-1], whole[1:])[0, 1]) < 0.05
