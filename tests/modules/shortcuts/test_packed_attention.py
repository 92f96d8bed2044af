from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from test_combinations import BACKBONES  # type: ignore[import-not-found]
from torch import Tensor

from pretune.modules import Backbone
from pretune.modules.shortcuts import packed_attention
from pretune.modules.shortcuts.packed_attention import can_pack, packed_inputs

LENGTHS = (7, 1, 13, 5)
ABLE = [
    b for b, (family, _) in BACKBONES.items() if family != "encoder-decoder" and b not in ("deberta-v2", "mobilebert")
]


def make(backbone: str, **options: Any) -> Any:
    torch.manual_seed(0)
    sizes = {**BACKBONES[backbone][1], "vocab_size": 128, "pad_token_id": 1}
    if backbone == "modernbert":
        sizes["local_attention"] = 8  # smaller than the longest document
    if backbone == "mistral":
        sizes["sliding_window"] = 4
    auto = "AutoModelForCausalLM" if BACKBONES[backbone][0] == "decoder" else "AutoModelForMaskedLM"
    model, _ = Backbone(config={"model_type": backbone, **sizes}, dropout=0.0, **options).build(auto, None)
    return model.eval()


def documents(seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(5, 90, (length,), generator=generator) for length in LENGTHS]


def pack(parts: list[Tensor]) -> dict[str, Tensor]:
    ends = torch.tensor([0, *(len(part) for part in parts)]).cumsum(0).int()
    positions = torch.cat([torch.arange(len(part)) for part in parts])
    return {"input_ids": torch.cat(parts)[None], "position_ids": positions[None], "cu_seq_lens": ends}


def run(model: Any, parts: list[Tensor]) -> tuple[Tensor, ...]:
    """The logits of each document of a pack."""
    batch = {key: value.to(parts[0].device) for key, value in pack([part.cpu() for part in parts]).items()}
    logits = model(input_ids=batch["input_ids"], **packed_inputs(model, batch)).logits
    return tuple(logits[0].split([len(part) for part in parts]))


@pytest.mark.parametrize("backbone", ABLE)
def test_documents_do_not_see_each_other(backbone: str) -> None:
    """Whatever one document is, the logits of the others are the same, bit for bit."""
    model, parts = make(backbone), documents()
    assert can_pack(model)
    before = run(model, parts)
    for changed in range(len(parts)):
        others = [documents(1)[i] if i == changed else part for i, part in enumerate(parts)]
        after = run(model, others)
        for i in range(len(parts)):
            assert torch.equal(before[i], after[i]) == (i != changed)


@pytest.mark.parametrize("backbone", ABLE)
def test_a_packed_document_is_what_it_is_alone(backbone: str) -> None:
    model, plain, parts = make(backbone), make(backbone), documents()
    for found, part in zip(run(model, parts), parts, strict=True):
        alone = plain(input_ids=part[None], attention_mask=torch.ones_like(part)[None]).logits[0]
        torch.testing.assert_close(found, alone, atol=5e-6, rtol=1e-5)


@pytest.mark.parametrize("backbone", ["bert", "modernbert", "gpt2", "llama", "mistral"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients(backbone: str, checkpointing: bool) -> None:
    """Also where layers are computed again in the backward pass."""
    model, plain = make(backbone, gradient_checkpointing=checkpointing).train(), make(backbone).train()
    sum(logits.square().sum() for logits in run(model, documents())).backward()  # type: ignore[union-attr]
    for part in documents():
        plain(input_ids=part[None]).logits.square().sum().backward()
    for (name, mine), theirs in zip(model.named_parameters(), plain.parameters(), strict=True):
        if theirs.grad is not None:
            torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-4, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


def test_compiled_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs of other lengths are not compiled anew; the compiler makes nothing of attention here but a break."""
    compiled = []

    def backend(graph: Any, inputs: Any) -> Any:
        compiled.append(graph)
        return graph.forward

    model, plain = make("bert"), make("bert")
    for layer in model.base_model.encoder.layer:
        layer.compile(backend=backend, dynamic=True)
    run(model, documents())
    before = len(compiled)
    for lengths in ((9, 2, 15), (4, 8, 3, 7, 11), (5, 6, 20)):
        monkeypatch.setattr(sys.modules[__name__], "LENGTHS", lengths)
        for found, expected in zip(run(model, documents()), run(plain, documents()), strict=True):
            torch.testing.assert_close(found, expected, atol=5e-6, rtol=1e-5)
    assert len(compiled) == before > 0


@pytest.mark.parametrize("backbone", ABLE)
def test_a_switched_model_still_takes_padded_batches(backbone: str, tmp_path: Path) -> None:
    model, plain = make(backbone), make(backbone)
    run(model, documents())
    ids = torch.randint(5, 90, (2, 9), generator=torch.Generator().manual_seed(3))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    found, expected = (m(input_ids=ids, attention_mask=mask).logits[mask.bool()] for m in (model, plain))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    model.save_pretrained(tmp_path)
    assert packed_attention.NAME not in json.dumps(json.loads((tmp_path / "config.json").read_text()))
    again = type(model).from_pretrained(tmp_path).eval()
    assert torch.equal(again(input_ids=ids, attention_mask=mask).logits[mask.bool()], expected)


@pytest.mark.parametrize("backbone", ["gpt2", "llama", "mistral"])
def test_a_switched_model_still_generates(backbone: str) -> None:
    model, plain = make(backbone), make(backbone)
    run(model, documents())
    ids = torch.randint(5, 90, (2, 6), generator=torch.Generator().manual_seed(3))
    options = {"max_new_tokens": 5, "do_sample": False, "pad_token_id": 1, "attention_mask": torch.ones_like(ids)}
    assert torch.equal(model.generate(ids, **options), plain.generate(ids, **options))


@pytest.mark.parametrize("backbone", ["bert", "llama", "mistral"])
def test_memory_does_not_grow_with_the_square(backbone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """60,000 tokens in documents of 6: a mask of tokens x tokens would have 3.6 billion entries."""
    model = make(backbone)
    with torch.no_grad():
        run(model, [torch.arange(5, 11)] * 10_000 if backbone == "bert" else [torch.arange(5, 11)] * 2_000)


def test_who_cannot() -> None:
    for backbone in ("deberta-v2", "mobilebert"):
        assert not can_pack(make(backbone))
    for name in ("T5", "Bart"):
        config = getattr(transformers, f"{name}Config")(d_model=32)
        with torch.device("meta"):
            assert not can_pack(getattr(transformers, f"{name}ForConditionalGeneration")(config))
