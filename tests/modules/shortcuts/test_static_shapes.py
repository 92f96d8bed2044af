"""One shape for compiled layers: packs are filled up, and what has another shape is not compiled anew."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from test_combinations import WORKS, make, total  # type: ignore[import-not-found]
from torch import Tensor

from pretune.contracts import CAPACITY, with_hints
from pretune.modules.shortcuts.static_shapes import compiling, fill_pack, has_the_shape

BACKBONES = ("bert", "modernbert", "electra", "gpt2", "llama", "mistral")
OBJECTIVES = ("MaskedLanguageModeling", "CausalLanguageModeling", "ReplacedTokenDetection")
CASES = [case for case in WORKS if case[0] in OBJECTIVES and case[1] in BACKBONES]


LENGTHS = (7, 1, 13, 5)


def documents() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(5, 90, (length,), generator=generator) for length in LENGTHS]


def pack(parts: list[Tensor]) -> dict[str, Tensor]:
    ends = torch.tensor([0, *(len(part) for part in parts)]).cumsum(0).int()
    positions = torch.cat([torch.arange(len(part)) for part in parts])
    return {"input_ids": torch.cat(parts)[None], "position_ids": positions[None], "cu_seq_lens": ends}


def hinted(capacity: int) -> dict[str, Any]:
    return {**with_hints(pack(documents())), CAPACITY: capacity}


def test_a_filled_pack() -> None:
    batch = hinted(64)
    size, ends = batch["input_ids"].shape[1], batch["cu_seq_lens"].tolist()
    found = fill_pack(batch)
    assert found["input_ids"].shape == found["position_ids"].shape == (1, 64)
    assert torch.equal(found["input_ids"][:, :size], batch["input_ids"])
    assert found["cu_seq_lens"].tolist() == [*ends, size + 13, size + 26, 64]
    assert found["cu_seq_lens"].dtype == torch.int32
    assert fill_pack(hinted(size)).keys() == batch.keys()
    assert fill_pack(hinted(size))["input_ids"] is not None
    assert fill_pack(with_hints(pack(documents())))["input_ids"].shape == (1, size)  # nobody says how many places


@pytest.mark.parametrize("case", CASES)
def test_filling_changes_nothing(case: tuple[str, str], tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for capacity in (None, 96):
        model = make(*case, tokenizer)
        model.build()
        model.backbone.compile = capacity is not None  # after building: nothing is compiled
        batch = with_hints(pack([part % 60 + 5 for part in documents()]))
        loss = total(model, batch if capacity is None else {**batch, CAPACITY: capacity})
        loss.backward()
        found.append((loss.detach(), [p.grad for p in model.parameters() if p.grad is not None]))
    torch.testing.assert_close(found[1], found[0], atol=1e-5, rtol=1e-4)


def block(rows: int, full: bool = True) -> dict[str, Any]:
    mask = torch.ones(rows, 8, dtype=torch.int64)
    mask[-1, 5:] = int(full)
    return {**with_hints({"input_ids": torch.ones_like(mask), "attention_mask": mask}), CAPACITY: 32}


def test_which_batches_have_the_shape() -> None:
    assert has_the_shape(block(4))
    assert not has_the_shape(block(3))
    assert not has_the_shape(block(4, full=False))
    assert has_the_shape(hinted(64))
    assert has_the_shape(with_hints({"attention_mask": torch.ones(1, 3)}))  # of labeled rows, each has its own


def test_another_shape_is_computed_and_not_compiled() -> None:
    compiled = []

    def backend(graph: Any, inputs: Any) -> Any:
        compiled.append(graph)
        return graph.forward

    torch._dynamo.reset()
    double = torch.compile(lambda ids: ids * 2, backend=backend)
    for batch in (block(4), block(3), block(4, full=False), block(4)):
        with compiling(has_the_shape(batch)):
            assert torch.equal(double(batch["input_ids"]), 2 * batch["input_ids"])
    assert len(compiled) == 1
    double(block(3)["input_ids"])
    assert len(compiled) == 2


def test_a_step_that_fails_leaves_the_compiler_as_it_was(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning tears nothing down after an error, and a program goes on to other networks."""
    stance = torch._dynamo.eval_frame._stance
    model = make("MaskedLanguageModeling", "bert", tokenizer)
    model.build()
    model.backbone.compile = True

    def fails(*_: Any) -> None:
        assert torch._dynamo.eval_frame._stance.stance == "eager_on_recompile"
        raise RuntimeError("out of memory")

    monkeypatch.setattr(model, "step", fails)
    with pytest.raises(RuntimeError, match="out of memory"):
        model.shared_step(block(3), "train")
    assert torch._dynamo.eval_frame._stance == stance
    loss = torch.ones((), requires_grad=True)
    loss.register_hook(fails)
    with pytest.raises(RuntimeError, match="out of memory"):
        model.backward(loss)
    assert torch._dynamo.eval_frame._stance == stance
