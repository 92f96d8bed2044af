"""What is left out changes no result: with and without shortcuts, and as a GPU would take them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from test_combinations import WORKS, batch_for, make, total  # type: ignore[import-not-found]

from pretune.contracts import with_hints
from pretune.modules.batches import targets as targets_module
from pretune.modules.shortcuts.packed_attention import NAME, use_own_attention

CASES = [
    case for case in WORKS if case[1] in ("bert", "modernbert", "electra", "gpt2", "llama", "mistral", "t5", "bart")
]


def result(model: Any, batch: dict[str, Any]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    model.zero_grad()
    loss = total(model, batch)
    loss.backward()
    return loss.detach(), [p.grad.clone() for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_shortcuts_change_nothing(case: tuple[str, str], full: bool, tokenizer: Any) -> None:
    model = make(*case, tokenizer)
    model.build()
    batch = batch_for(model)
    if full and "attention_mask" in batch:
        batch["attention_mask"] = torch.ones_like(batch["attention_mask"])
    model.shortcuts = False
    plain = result(model, with_hints(batch))
    model.shortcuts = True
    model.take_shortcuts()
    hinted = with_hints(batch)
    assert "attention_mask" not in batch or hinted["full"] is full
    torch.testing.assert_close(result(model, hinted), plain, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("case", [case for case in CASES if case[1] not in ("t5", "bart")])
def test_a_known_number_of_targets_changes_nothing(
    case: tuple[str, str], tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, which nobody asks how many there are."""
    model = make(*case, tokenizer)
    model.build()
    batch = batch_for(model)
    exact = result(model, batch)
    bounds: list[int | None] = []

    def bounded(chosen: torch.Tensor, most: int | None = None) -> targets_module.Targets:
        bounds.append(most)
        return targets_module.find_targets(chosen, most)

    monkeypatch.setattr(type(model), "targets", lambda self, chosen, most=None: bounded(chosen, most))
    torch.testing.assert_close(result(model, batch), exact, atol=1e-5, rtol=1e-4)
    assert bounds
    assert all(bounds)


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "modernbert"])
def test_own_attention_under_autocast(name: str, tokenizer: Any) -> None:
    """About as close to float32 as torch's in bfloat16."""
    objective = next(objective for objective, backbone in WORKS if backbone == name)
    model = make(objective, name, tokenizer)
    model.build()
    batch = batch_for(model)
    exact = result(model, batch)
    found = []
    for own in (False, True):
        if own:
            use_own_attention(model.model)
            assert model.model.config._attn_implementation == NAME
        with torch.autocast("cpu", torch.bfloat16):
            found.append(result(model, batch))
    theirs, ours, right = (torch.cat([g.flatten() for g in gradients]) for _, gradients in (*found, exact))
    assert not torch.equal(ours, theirs)
    assert (ours - right).norm() <= 1.5 * (theirs - right).norm()
    torch.testing.assert_close(found[1][0], exact[0], atol=0.5, rtol=0.02)
