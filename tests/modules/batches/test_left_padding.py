"""Prompts at the right end of their rows."""

from __future__ import annotations

import pytest
import torch

from pretune.modules.batches.left_padding import left_padded

PAD = 9


@pytest.mark.parametrize("side", ["left", "right"])
def test_rows_move_to_the_right_end(side: str) -> None:
    ids = torch.tensor([[1, 2, PAD, PAD], [3, PAD, PAD, PAD]])
    mask = (ids != PAD).long()
    if side == "left":
        ids, mask = ids.flip(1), mask.flip(1)
    moved, real = left_padded(ids, mask, PAD)
    expected = [[1, 2], [PAD, 3]] if side == "right" else [[2, 1], [PAD, 3]]
    assert moved.tolist() == expected  # no wider than the longest
    assert real.tolist() == [[1, 1], [0, 1]]


def test_a_row_without_a_token_is_padding() -> None:
    ids = torch.tensor([[5, 6], [7, 8]])
    moved, real = left_padded(ids, torch.tensor([[1, 0], [0, 0]]), PAD)
    assert moved.tolist() == [[5], [PAD]]
    assert real.tolist() == [[1], [0]]
