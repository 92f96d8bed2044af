"""One process by DDP and by FSDP2 (over nccl; over gloo on the CPU) learns what a single device does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from gpu_support import NULL, ON_CPU, ROUNDING, holds, same, some, trainer
from lightning.pytorch.strategies import DDPStrategy
from test_combinations import make  # type: ignore[import-not-found]
from test_invariances import collate, rows  # type: ignore[import-not-found]
from torch.utils.data import DataLoader

from pretune.modules.sharding import is_sharded, whole_state
from pretune.modules.strategies import FullySharded

BACKEND = "gloo" if ON_CPU or NULL else "nccl"
CASES = [
    ("MaskedLanguageModeling", "bert"),
    ("ReplacedTokenDetection", "electra"),
    ("CausalLanguageModeling", "llama"),
    ("SpanDenoising", "t5"),
]


def fit(case: tuple[str, str], strategy: Any, precision: str, tokenizer: Any) -> dict[str, torch.Tensor]:
    options = {"share_embeddings": False} if case[0] == "ReplacedTokenDetection" else {}
    model = make(*case, tokenizer, optimizer="sgd", learning_rate=0.05, schedule="constant", warmup=0.0, **options)
    model.build()  # what a strategy does first may draw random numbers
    fitted = trainer(strategy=strategy, max_steps=3, precision=precision, use_distributed_sampler=False)
    torch.manual_seed(3)
    fitted.fit(model, DataLoader(rows(False, 12), 4, collate_fn=collate))  # type: ignore[arg-type]
    assert fitted.global_step == 3
    if strategy != "auto":
        assert torch.distributed.get_backend() == BACKEND
    assert is_sharded(model.model) == isinstance(strategy, FullySharded)
    found = whole_state(model.model) if is_sharded(model.model) else dict(model.model.named_parameters())
    return {name: value.detach().cpu().clone() for name, value in found.items()}


@pytest.mark.parametrize("precision", some(["32-true", "bf16-mixed"], ["32-true"]))
@pytest.mark.parametrize("case", some(CASES, CASES[:1]), ids="-".join)
@pytest.mark.parametrize("strategy", ["ddp", "fully_sharded"])
def test_one_process(strategy: str, case: tuple[str, str], precision: str, tokenizer: Any) -> None:
    alone = fit(case, "auto", precision, tokenizer)
    kind = {"ddp": DDPStrategy, "fully_sharded": FullySharded}[strategy]
    found = fit(case, kind(process_group_backend="gloo" if NULL else None), precision, tokenizer)
    alone = {name: alone[name] for name in found}  # tied weights come once
    same(found, alone, ROUNDING if precision == "32-true" else 1e-2)
    start = make(*case, tokenizer)
    start.build()
    holds(any(not value.equal(alone[n]) for n, value in start.model.named_parameters() if n in alone))
