"""What networks compute: by hand, by PyTorch's own counter, and for every architecture of the suite."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

from pretune.cli.costs.flops import forward_cost, training_factor
from pretune.modules import TextClassification

WIDTH, LAYERS, INNER, WORDS = 64, 2, 128, 1000
SIZES = {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 2, "intermediate_size": INNER}
BODY = 2.0 * LAYERS * (4 * WIDTH**2 + 2 * WIDTH * INNER)
T5 = {"d_model": WIDTH, "d_kv": 32, "d_ff": INNER, "num_layers": LAYERS, "num_heads": 2, "dropout_rate": 0.0}


def network(auto: Any, kind: str, **sizes: Any) -> Any:
    return auto.from_config(AutoConfig.for_model(kind, **{"vocab_size": WORDS, **sizes}))


def test_by_hand() -> None:
    cost = forward_cost(network(AutoModelForMaskedLM, "bert", **SIZES))
    assert cost.source == BODY
    assert cost.source_pair == 4 * WIDTH * LAYERS  # queries with keys, and weights with values
    assert cost.head == 2 * (WIDTH * WORDS + WIDTH**2)
    assert cost.of(10, 60, heads=3) == 10 * cost.source + 60 * cost.source_pair + 3 * cost.head


def test_shared_layers_are_counted_each_time() -> None:
    shared = network(AutoModelForMaskedLM, "albert", embedding_size=WIDTH, **SIZES)
    assert forward_cost(shared).source == BODY + 2 * WIDTH**2  # and the embeddings' projection


@pytest.mark.parametrize(
    ("auto", "kind", "sizes"),
    [
        (AutoModelForCausalLM, "llama", SIZES),
        (AutoModelForCausalLM, "gpt2", {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": 2}),
        (AutoModelForSeq2SeqLM, "t5", T5),
    ],
)
@torch.no_grad()
def test_by_pytorchs_counter(auto: Any, kind: str, sizes: dict[str, Any]) -> None:
    model = network(auto, kind, attn_implementation="eager", **sizes).eval()
    ids, other = torch.zeros(2, 40, dtype=torch.long), torch.zeros(2, 24, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        model(ids, **({"decoder_input_ids": other} if kind == "t5" else {}))
    cost = forward_cost(model)
    expected = (
        cost.of(2 * 40, 2 * 40**2, 2 * 24, 2 * 24**2, 2 * 40 * 24, 2 * 24)
        if kind == "t5"
        else cost.of(2 * 40, 2 * 40**2, heads=2 * 40)
    )
    assert counter.get_total_flops() == pytest.approx(expected, rel=1e-6)


def test_an_architecture_that_looks_at_its_data() -> None:
    cost = forward_cost(network(AutoModelForMaskedLM, "deberta-v2", **SIZES))
    assert cost.source == BODY
    assert cost.source_pair == 4 * WIDTH * LAYERS


def test_what_learns_decides_what_backward_costs(encoder: Any) -> None:
    factors = {}
    for freeze in (None, "embeddings", 1, "all"):
        module = TextClassification({"name": str(encoder), "freeze": freeze}, labels=["a", "b"])
        module.build()
        factors[freeze] = training_factor(module.model)
    assert factors[None] == 3
    assert 3 == factors["embeddings"] > factors[1] > 1.5
    assert 1 < factors["all"] < 1.5
