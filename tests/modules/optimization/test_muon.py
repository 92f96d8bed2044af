"""Muon and AdamW as one: each as PyTorch's own, on the parameters that are its; saved and read back."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForSeq2SeqLM

from pretune.modules import MaskedLanguageModeling
from pretune.modules.optimization.muon import MuonWithAdamW
from pretune.modules.optimization.optimizers import make_optimizer, parameter_groups


def groups(network: nn.Module) -> list[dict[str, Any]]:
    return parameter_groups([network], 1e-2, 0.1, 1.0)


def train(network: nn.Module, optimizers: list[Any], steps: int, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        for parameter in network.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        for optimizer in optimizers:
            optimizer.step()
    return [parameter.detach().clone() for parameter in network.parameters()]


def network(tiny: dict[str, Any], tokenizer: Any) -> nn.Module:
    torch.manual_seed(0)
    module = MaskedLanguageModeling({"config": tiny})
    module.tokenizer = tokenizer
    module.build()
    return module.model  # type: ignore[no-any-return]


def test_only_matrices_of_layers_are_hidden(tiny: dict[str, Any], tokenizer: Any) -> None:
    model = network(tiny, tokenizer)
    hidden = {id(p) for group in groups(model) if group["hidden"] for p in group["params"]}
    names = {name for name, p in model.named_parameters() if id(p) in hidden}
    assert len(names) == 2 * 6
    assert all("encoder.layer" in name and name.endswith("weight") and "Norm" not in name for name in names)


def test_embeddings_of_layers_are_not_hidden() -> None:
    config = AutoConfig.for_model("t5", vocab_size=40, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2)
    model = AutoModelForSeq2SeqLM.from_config(config)
    found = {id(p): group["hidden"] for group in groups(model) for p in group["params"]}
    hidden = {name for name, p in model.named_parameters() if found[id(p)]}
    tables = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Embedding)}
    assert sum("relative_attention_bias" in name for name in tables) == 2
    assert not hidden & tables
    assert len(hidden) == 2 * 6 + 2 * 10  # all other matrices of encoder and decoder


@pytest.mark.parametrize(("precision", "fused"), [("32-true", True), ("bf16-mixed", True), ("16-mixed", False)])
def test_adamw_is_fused_in_both_or_neither(precision: str, fused: bool, tiny: dict[str, Any], tokenizer: Any) -> None:
    model = network(tiny, tokenizer)
    plain = make_optimizer("adamw", groups(model), (0.9, 0.98), precision)
    muon = make_optimizer("muon", groups(model), (0.9, 0.98), precision)
    assert {bool(group["fused"]) for group in plain.param_groups} == {fused}
    assert {bool(group["fused"]) for group in muon.param_groups if not group["hidden"]} == {fused}
    # What could unscale gradients itself, Lightning would refuse to clip.
    assert not getattr(muon, "_step_supports_amp_scaling", False)


@pytest.mark.parametrize("fused", [True, False])
def test_each_part_is_pytorchs_own(fused: bool, tiny: dict[str, Any], tokenizer: Any) -> None:
    model = network(tiny, tokenizer)
    twin = copy.deepcopy(model)
    found = train(model, [MuonWithAdamW(groups(model), (0.9, 0.98), fused=fused)], 3)
    plain = [{k: v for k, v in group.items() if k != "hidden"} for group in groups(twin)]
    hidden = [group["hidden"] for group in groups(twin)]
    muon = [group for group, is_hidden in zip(plain, hidden, strict=True) if is_hidden]
    rest = [group for group, is_hidden in zip(plain, hidden, strict=True) if not is_hidden]
    adamw = torch.optim.AdamW(rest, betas=(0.9, 0.98), fused=fused)
    own = [torch.optim.Muon(muon, adjust_lr_fn="match_rms_adamw"), adamw]
    for one, other in zip(found, train(twin, own, 3), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("fused", [True, False])
def test_state_is_saved_and_read_back(fused: bool, tiny: dict[str, Any], tokenizer: Any) -> None:
    model = network(tiny, tokenizer)
    optimizer = MuonWithAdamW(groups(model), (0.9, 0.98), fused=fused)
    train(model, [optimizer], 2)
    twin = copy.deepcopy(model)
    state = copy.deepcopy(optimizer.state_dict())
    again = MuonWithAdamW(groups(twin), (0.9, 0.98), fused=True)  # what was saved says otherwise, if it does
    again.load_state_dict(state)
    for one, other in zip(train(model, [optimizer], 2, 1), train(twin, [again], 2, 1), strict=True):
        assert torch.equal(one, other)


def test_the_rate_of_both_follows_a_schedule(tiny: dict[str, Any], tokenizer: Any) -> None:
    model = network(tiny, tokenizer)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = MuonWithAdamW(groups(model), (0.9, 0.98))
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.0)
    for one, other in zip(before, train(model, [optimizer], 1), strict=True):
        assert torch.equal(one, other)


def test_from_the_command_line_interrupted_or_not(corpus: Path, run: Callable[..., Any]) -> None:
    body = "{model_type: bert, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 64}"
    args = [
        "--model=MaskedLanguageModeling",
        f"--model.backbone={{config: {body}}}",
        "--model.optimizer=muon",
        "--model.schedule=constant",
        "--data=CorpusDataModule",
        f"--data.train_files={corpus}",
        "--data.tokenizer={train: wordpiece, vocab_size: 90}",
        "--data.block_size=16",
        "--data.batch_size=4",
        "--trainer.accelerator=cpu",
    ]
    whole = run("fit", *args, "--name=whole", "--trainer.max_steps=4").model
    run("fit", *args, "--name=parts", "--trainer.max_steps=2")
    parts = run("fit", *args, "--name=parts", "--trainer.max_steps=4", "--ckpt_path=last").model
    for (name, one), other in zip(whole.model.named_parameters(), parts.model.parameters(), strict=True):
        assert torch.equal(one, other), name
