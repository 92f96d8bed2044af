"""Layers that are frozen, made anew, compiled; body and head."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from seven_encoders import CLASSIFIER, SEVEN, config, inputs  # type: ignore[import-not-found]

from pretune.contracts import with_hints
from pretune.errors import InputError
from pretune.modules import Backbone, MaskedLanguageModeling
from pretune.modules.backbone.layers import in_body


@pytest.mark.parametrize("model_type", SEVEN)
@pytest.mark.parametrize("what", ["embeddings", 1, "all"])
def test_frozen_parts_do_not_move(model_type: str, what: Any, tokenizer: Any) -> None:
    torch.manual_seed(0)
    model, _ = Backbone(config=config(model_type), freeze=what).build(CLASSIFIER, tokenizer)
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    learning = {name for name, p in model.named_parameters() if p.requires_grad}
    assert any("word_embeddings" in n or "tok_embeddings" in n for n in frozen)
    assert any(n.startswith(("classifier", "head")) for n in learning)
    body = [n for n in learning if n.startswith(model.base_model_prefix + ".") and "pooler" not in n]
    # ALBERT's layers are one layer, repeated: freezing the lowest freezes them all.
    assert (not body) == (what == "all" or (what == 1 and model_type == "albert"))
    model(**inputs()).logits.sum().backward()
    assert all(p.grad is None for n, p in model.named_parameters() if n in frozen)


def test_freezing_more_than_there_is(encoder: Path, tokenizer: Any) -> None:
    with pytest.raises(InputError, match=r"freeze is 9, but the network has 2 layers"):
        Backbone(str(encoder), freeze=9).build(CLASSIFIER, tokenizer)
    with pytest.raises(InputError, match=r"reinitialize_layers is 9, but .* has 2 layers"):
        Backbone(str(encoder), reinitialize_layers=9).build(CLASSIFIER, tokenizer)


def test_reinitialized_layers_are_new_and_others_are_not(encoder: Path, tokenizer: Any) -> None:
    saved = load_file(encoder / "model.safetensors")
    model, _ = Backbone(str(encoder), reinitialize_layers=1).build(CLASSIFIER, tokenizer)
    weights = dict(model.named_parameters())
    low, high = (f"bert.encoder.layer.{i}.intermediate.dense.weight" for i in (0, 1))
    assert torch.equal(weights[low], saved[low])
    assert not torch.equal(weights[high], saved[high])
    assert weights[high].detach().std() == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize(
    "auto", ["AutoModelForSeq2SeqLM", "AutoModelForQuestionAnswering", "AutoModelForTokenClassification"]
)
def test_the_body_of_t5_is_told_from_its_head(auto: str, tokenizer: Any) -> None:
    sizes = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2, "tie_word_embeddings": False}
    model, _ = Backbone(config={"model_type": "t5", **sizes}, freeze="all").build(auto, tokenizer)
    heads = {name.partition(".")[0] for name, _ in model.named_parameters() if not in_body(model, name)}
    assert heads <= {"lm_head", "qa_outputs", "classifier"}
    assert heads == {name.partition(".")[0] for name, p in model.named_parameters() if p.requires_grad}


def test_compiled_layers_are_compiled_once_for_all_steps_and_layers(
    tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Masks differ from step to step, shapes do not; keys and losses are those of the plain network."""
    seen: list[Any] = []

    def backend(graph: Any, inputs: Any) -> Any:
        seen.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    torch._dynamo.reset()
    architecture = {**config("bert"), "num_hidden_layers": 3}
    losses, keys = [], []
    for compiled in (False, True):
        torch.manual_seed(0)
        model = MaskedLanguageModeling(
            Backbone(config=architecture, dropout=0.0, compile=compiled), mask_probability=0.3
        )
        model.tokenizer = tokenizer
        model.build()
        ids = torch.randint(5, 60, (3, 4, 12), generator=torch.Generator().manual_seed(1))
        batches = [with_hints({"input_ids": i, "attention_mask": torch.ones_like(i)}) for i in ids]
        losses.append([model.step(batch, "train").loss for batch in batches])
        sum(losses[-1]).backward()
        keys.append(list(model.state_dict()))
    torch.testing.assert_close(losses[1], losses[0])
    assert keys[1] == keys[0]
    assert len(seen) == 1
    torch._dynamo.reset()
