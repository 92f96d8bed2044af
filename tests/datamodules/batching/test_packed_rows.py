from __future__ import annotations

import numpy as np

from pretune.datamodules.batching.packed_rows import best_fit


def test_best_fit() -> None:
    lengths = np.random.default_rng(0).integers(1, 50, 300)
    packs = best_fit(lengths, 64)
    assert sorted(row for pack in packs for row in pack) == list(range(300))
    filled = [int(lengths[pack].sum()) for pack in packs]
    assert max(filled) <= 64
    assert len(packs) <= 1.03 * lengths.sum() / 64 + 1
    assert best_fit(np.array([3, 3, 2, 2]), 5) == [[0, 3], [1, 2]]
