"""The memory of a step on shapes alone: what is counted, and when."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSequenceClassification

from pretune.cli.costs.step_memory import PARTS, Ledger, optimizer_bytes, step_memory
from pretune.cli.costs.workload import Workload

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def whole(networks: list[Any]) -> dict[str, dict[str, float]]:
    return {"whole": dict.fromkeys(PARTS, 1.0)}


WORK = Workload(rows=4, length=16, source=16, target=0, heads=10, padded=False)


def bert(auto: Any = AutoModelForMaskedLM, **more: Any) -> Any:
    return auto.from_config(AutoConfig.for_model("bert", vocab_size=512, **SIZES, **more))


def peak(work: Workload = WORK, precision: str = "32-true", build: Any = bert, **options: Any) -> dict[str, float]:
    parts, _ = step_memory(lambda _: [build()], work, precision, "adamw", whole, **options)
    return parts["whole"]


def test_what_is_alive_at_once_counts() -> None:
    ledger = Ledger([], 7, {"whole": dict.fromkeys(PARTS, 1.0), "few words": dict.fromkeys(PARTS, 1.0) | {"logits": 0}})
    with ledger:
        first = torch.zeros(100)
        second = first + 1
        del first
        view = second.view(10, 10)
        words = torch.zeros(3, 7)
        del second, view
        torch.zeros(50)
    assert ledger.peaks["whole"] == {**dict.fromkeys(PARTS, 0.0), "activations": 800.0}
    assert ledger.held == {**dict.fromkeys(PARTS, 0.0), "logits": 84.0}
    assert ledger.peaks["few words"]["activations"] == 800
    assert words.shape == (3, 7)


def test_it_is_what_a_step_takes() -> None:
    """The same on memory, by torch's own count of what it hands out."""
    network = bert()
    ids = torch.zeros(4, 16, dtype=torch.long)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        network.zero_grad(set_to_none=False)
        logits = network(input_ids=ids).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids.flatten(), reduction="sum")
        del logits
        loss.backward()
    held = most = 0
    for event in profile.profiler.kineto_results.events():  # type: ignore[union-attr]
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    work = Workload(rows=4, length=16, source=16, target=0, heads=64, padded=False)
    found = peak(work, accumulates=True)
    assert found["activations"] + found["logits"] == pytest.approx(most, rel=0.05)


def test_each_part_follows_what_it_depends_on() -> None:
    network = bert()
    parameters = sum(p.nbytes for p in network.parameters())
    plain = peak()
    assert plain["weights"] == parameters + sum(b.nbytes for b in network.buffers())
    assert plain["optimizer"] == 2 * parameters
    assert plain["copies for autocast"] == 0
    work = Workload(rows=256, length=16, source=16, target=0, heads=500, padded=False)
    large = peak(work)
    kept = peak(work, accumulates=True)
    assert kept["gradients"] == parameters
    assert sum(kept.values()) >= sum(large.values())
    assert large["activations"] > 10 * plain["activations"]
    assert large["logits"] >= 2 * 500 * 512 * 4
    half, _ = step_memory(lambda dtype: [bert().to(dtype)], WORK, "bf16-true", "adamw", whole)
    assert half["whole"]["weights"] < 0.6 * plain["weights"]
    double, _ = step_memory(lambda dtype: [bert().to(dtype)], WORK, "64-true", "adamw", whole)
    assert double["whole"]["weights"] > 1.9 * plain["weights"]  # positions are integers
    assert double["whole"]["activations"] > 1.8 * plain["activations"]
    twice = peak(work, passes=2)
    assert twice["activations"] > 1.8 * large["activations"]


def test_autocast_keeps_a_copy_of_each_matrix() -> None:
    work = Workload(rows=64, length=16, source=16, target=0, heads=500, padded=False)
    matrices = 2 * (4 * 32**2 + 2 * 32 * 64) + 32**2 + 32 * 512
    found = peak(work, "bf16-mixed")
    assert 2 * matrices <= found["copies for autocast"] < 2 * matrices * 1.1  # and of their biases


def test_a_gpu_keeps_less_of_dropout_and_attention() -> None:
    work = Workload(rows=8, length=64, source=64, target=0, heads=10, padded=True)
    assert peak(work, gpu=True)["activations"] < 0.75 * peak(work)["activations"]


def test_checkpointing_and_frozen_layers_keep_less() -> None:
    def checked() -> Any:
        network = bert()
        network.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        return network

    def frozen() -> Any:
        network = bert(AutoModelForSequenceClassification)
        for parameter in network.bert.parameters():
            parameter.requires_grad_(False)
        return network

    work = Workload(rows=64, length=16, source=16, target=0, heads=10, padded=False)
    assert peak(work, build=checked)["activations"] < 0.7 * peak(work)["activations"]
    whole = peak(work, build=lambda: bert(AutoModelForSequenceClassification))
    assert peak(work, build=frozen)["activations"] < 0.5 * whole["activations"]


def test_every_kind_of_network_runs() -> None:
    gpt2 = AutoConfig.for_model("gpt2", n_embd=32, n_layer=1, n_head=2, vocab_size=512)
    assert peak(build=lambda: AutoModelForCausalLM.from_config(gpt2))["logits"] > 0


@pytest.mark.parametrize(("name", "states"), [("adamw", 2), ("sgd", 1)])
def test_optimizers(name: str, states: int) -> None:
    network = bert()
    size = sum(p.nbytes for p in network.parameters())
    assert optimizer_bytes(name, [network], fused=True, gpu=False)[0] == states * size


def test_muon_keeps_one_state_for_hidden_matrices() -> None:
    network = bert()
    size = sum(p.nbytes for p in network.parameters())
    hidden = 4 * 2 * (4 * 32**2 + 2 * 32 * 64)
    state, scratch = optimizer_bytes("muon", [network], fused=True, gpu=False)
    assert 2 * size - 1.2 * hidden <= state <= 2 * size - hidden
    assert 0 < scratch < optimizer_bytes("muon", [network], fused=True, gpu=True)[1]
