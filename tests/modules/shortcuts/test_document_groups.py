from __future__ import annotations

import pytest
import torch

from pretune.modules.shortcuts.document_groups import CALL, groups_of

CPU = torch.device("cpu")


@pytest.mark.parametrize("lengths", [(5,), (4, 4, 4), (7, 1, 13, 5), (300, 2, 299, 150, 151, 9, 1), (3, 0, 2)])
def test_there_and_back(lengths: tuple[int, ...]) -> None:
    """Each document is where its group has it, then zeros; and all come back, as do their gradients."""
    groups = groups_of(lengths, 2, CPU)
    tokens = torch.randn(1, 2, sum(lengths), 3, dtype=torch.float64, requires_grad=True)
    padded = groups.pad(tokens)
    documents = sorted(tokens[0].split(lengths, dim=1), key=lambda d: -d.shape[1])
    found = [row for group in padded for row in group]
    for document, row in zip(documents, found, strict=False):
        assert torch.equal(row[:, : document.shape[1]], document)
        assert not row[:, document.shape[1] :].any()
    for group, mask in zip(padded, groups.masks, strict=True):
        there = group.abs().sum((1, 3)) > 0
        assert bool(there.all()) if mask is None else torch.equal(there, mask[:, 0, 0])
    assert torch.equal(groups.together(iter(padded)), tokens.transpose(1, 2))
    assert torch.autograd.gradcheck(lambda t: groups.together(part.square() for part in groups.pad(t)), tokens)


def test_padding_costs_less_than_a_call() -> None:
    lengths = tuple(torch.randint(1, 600, (200,), generator=torch.Generator().manual_seed(0)).tolist())
    for heads in (1, 4, 16):
        groups = groups_of(lengths, heads, CPU).lengths
        assert sorted(n for group in groups for n in group) == sorted(lengths)
        for group in groups:
            assert all(heads * (group[0] ** 2 - n**2) <= CALL and 2 * n >= group[0] for n in group)
    assert len(groups_of((40, 30, 50, 20, 31, 42), 12, CPU).lengths) == 2  # 50 to 30, and 20
    assert [len(group) for group in groups_of((600, 500, 400), 4, CPU).lengths] == [1, 1, 1]
