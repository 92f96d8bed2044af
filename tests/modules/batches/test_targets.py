"""Places that are counted, and places in a number that is known before."""

from __future__ import annotations

import torch

from pretune.contracts import IGNORED
from pretune.modules.batches.targets import before, find_targets, most_targets
from pretune.modules.corruption.hashing import row_keys
from pretune.modules.corruption.masking import choose_tokens

GRID = torch.arange(12).view(3, 4)
CHOSEN = torch.tensor([[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 1, 0]]).bool()


def test_exact_and_bounded_targets_agree() -> None:
    exact, bounded = find_targets(CHOSEN), find_targets(CHOSEN, 7)
    assert exact.of(GRID).tolist() == [0, 3, 9, 10]
    assert bounded.of(GRID).tolist() == [0, 3, 9, 10, IGNORED, IGNORED, IGNORED]
    values = torch.tensor([20, 21, 22, 23, 24, 25, 26])
    for targets in (exact, bounded):
        put = targets.put(values[: len(targets.places)], GRID)
        assert put[CHOSEN].tolist() == [20, 21, 22, 23]
        assert torch.equal(put[~CHOSEN], GRID[~CHOSEN])


def test_what_follows() -> None:
    assert before(GRID).tolist() == [[1, 2, 3, 0], [5, 6, 7, 0], [9, 10, 11, 0]]


def test_the_bound_holds_and_is_not_loose() -> None:
    ids = torch.arange(64 * 128).view(64, 128)
    for seed in range(20):
        keys, all_ = row_keys(ids, None, seed), torch.ones_like(ids).bool()
        most = most_targets(ids.numel(), 64, 0.15)
        found = int(choose_tokens(keys, all_, 0.15).sum())
        assert found <= most < 1.4 * found
    assert most_targets(10, 1, 0.9) == 10
