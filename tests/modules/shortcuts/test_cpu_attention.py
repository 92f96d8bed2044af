"""Attention by plain products is torch's own, with its masks; dropout drops what it says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from pretune.modules.shortcuts import cpu_attention
from pretune.modules.shortcuts.cpu_attention import attention, takes_long
from pretune.modules.shortcuts.dropout import FastDropout, fast_dropout, kept, use_fast_dropout

SEEN = torch.ones(3, 1, 7, 7, dtype=torch.bool)
SEEN[1, :, :, 4:] = False
CASES: dict[str, dict[str, Any]] = {
    "everything": {},
    "causal": {"causal": True},
    "mask": {"mask": SEEN},
    "added": {"mask": torch.zeros(3, 1, 7, 7).masked_fill(~SEEN, -1e4).bfloat16()},
    "scale": {"scale": 0.5},
}


def parts(key_heads: int = 4) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    heads = (4, key_heads, key_heads)
    return [torch.randn(3, h, 7, 8, generator=generator).bfloat16().requires_grad_() for h in heads]


@pytest.mark.parametrize("longest", [1024, 5])
@pytest.mark.parametrize("key_heads", [4, 2])
@pytest.mark.parametrize("case", CASES)
def test_it_is_torchs(case: str, key_heads: int, longest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_attention, "LONGEST", longest)
    options = {"mask": None, "causal": False, "scale": None, **CASES[case]}
    given = parts(key_heads)
    weights = torch.randn(3, 4, 7, 8, generator=torch.Generator().manual_seed(1))
    found = attention(*given, dropout=0.0, **options)
    mine = torch.autograd.grad((found.float() * weights).sum(), given)
    wide = [part.detach().float().requires_grad_() for part in given]
    mask = options["mask"].float() if case == "added" else options["mask"]
    right = F.scaled_dot_product_attention(
        *wide, mask, is_causal=options["causal"], scale=options["scale"], enable_gqa=key_heads < 4
    )
    theirs = torch.autograd.grad((right * weights).sum(), wide)
    assert found.dtype == torch.bfloat16
    for one, other in zip((found, *mine), (right, *theirs), strict=True):
        torch.testing.assert_close(one.float(), other, atol=0.05, rtol=0.05)


def test_a_row_that_sees_nothing_is_a_number() -> None:
    given = parts()
    found = attention(*given, mask=torch.zeros(3, 1, 7, 7, dtype=torch.bool), dropout=0.0, causal=False, scale=None)
    found.float().sum().backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in given)


def test_where_torch_takes_long() -> None:
    query = torch.zeros(1, dtype=torch.bfloat16, requires_grad=True)
    assert takes_long(query)
    assert not takes_long(query.float())
    assert not takes_long(query.detach())
    with torch.autocast("cpu", torch.bfloat16):
        assert takes_long(query.float())
    with torch.no_grad():
        assert not takes_long(query)


@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_dropout(probability: float) -> None:
    values = torch.full((1000, 333), 2.0, requires_grad=True)
    torch.manual_seed(1)
    found = fast_dropout(values, probability)
    found.sum().backward()
    assert float((found == 0).float().mean()) == pytest.approx(probability, abs=0.003)
    assert found[found != 0].unique().tolist() == pytest.approx([2 / (1 - probability)])
    torch.testing.assert_close(values.grad, found / 2)
    torch.manual_seed(1)
    assert torch.equal(fast_dropout(values, probability), found)
    # Neighbors, which one draw serves, are independent.
    mask = kept(torch.Size((100_000, 4)), probability).float()
    assert torch.corrcoef(mask.T).fill_diagonal_(0).abs().max() < 0.02
    assert fast_dropout(values, 0.0) is values


def test_dropouts_are_replaced_and_keys_stay() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Sequential(torch.nn.Dropout(0.25), torch.nn.ReLU()))
    keys = list(network.state_dict())
    network[1].eval()
    use_fast_dropout(network)
    assert list(network.state_dict()) == keys
    swapped: Any = network[1][0]  # type: ignore[index]
    assert isinstance(swapped, FastDropout)
    assert (swapped.p, swapped.training) == (0.25, False)
    ones = torch.ones(50, 50)
    assert torch.equal(swapped(ones), ones)
    assert 0.15 < float((swapped.train()(ones) == 0).float().mean()) < 0.35
