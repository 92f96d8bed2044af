from __future__ import annotations

import torch

from pretune.modules.corruption.hashing import integers, row_keys, uniform


def ids(rows: int, length: int) -> torch.Tensor:
    return torch.randint(5, 1000, (rows, length), generator=torch.Generator().manual_seed(0))


def test_numbers_are_uniform_and_independent_between_streams() -> None:
    keys = row_keys(ids(500, 64), None, seed=3)
    first, second = uniform(keys, 1), uniform(keys, 2)
    n = first.numel()
    assert abs(first.mean() - 0.5) < 3 * (1 / 12 / n) ** 0.5
    assert abs(first.var() - 1 / 12) < 0.002
    assert abs(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]) < 3 / n**0.5
    neighbors = torch.corrcoef(torch.stack([first[:, 1:].flatten(), first[:, :-1].flatten()]))[0, 1]
    assert abs(neighbors) < 3 / n**0.5
    counts = torch.bincount(integers(keys, 1, 10).flatten(), minlength=10)
    assert (counts - n / 10).abs().max() < 4 * (n * 0.09) ** 0.5


def test_numbers_depend_on_the_row_alone() -> None:
    batch = ids(8, 20)
    keys = row_keys(batch, torch.ones_like(batch), seed=0)
    padded = torch.nn.functional.pad(batch[3:4], (0, 5), value=0)
    mask = torch.nn.functional.pad(torch.ones_like(batch[3:4]), (0, 5))
    assert torch.equal(row_keys(padded, mask, seed=0)[:, :20], keys[3:4])


def test_seed_order_and_content_change_the_numbers() -> None:
    batch = ids(1, 20)
    keys = row_keys(batch, None, 0)
    assert not torch.equal(keys, row_keys(batch, None, 1))
    assert not torch.equal(keys, row_keys(batch.flip(1), None, 0))
    changed = batch.clone()
    changed[0, 19] += 1
    assert (keys != row_keys(changed, None, 0)).all()
