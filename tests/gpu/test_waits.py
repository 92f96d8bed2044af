"""No step waits for the device: the next one is prepared while it computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from gpu_support import DEVICE, ON_CPU, labeled, on_device, options_of, some
from lightning.pytorch.loops.evaluation_loop import _EvaluationLoop
from lightning.pytorch.loops.training_epoch_loop import _TrainingEpochLoop
from test_combinations import BACKBONES, batch_for, make  # type: ignore[import-not-found]
from waits import watched  # type: ignore[import-not-found]

from pretune.contracts import with_hints

RUNS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "masked": ("MaskedLanguageModeling", "bert", ()),
    "masked-packed": ("MaskedLanguageModeling", "bert", ("--data.packing=true", "--model.backbone.dropout=0")),
    "masked-modernbert": ("MaskedLanguageModeling", "modernbert", ()),
    "replaced": ("ReplacedTokenDetection", "electra", ()),
    "causal-gpt2": ("CausalLanguageModeling", "gpt2", ()),
    "causal-llama": ("CausalLanguageModeling", "llama", ()),
    "accumulated": ("CausalLanguageModeling", "llama", ("--trainer.accumulate_grad_batches=2",)),
    "muon": ("CausalLanguageModeling", "gpt2", ("--model.optimizer=muon",)),
    "labels": ("TextClassification", "bert", ()),
}


@pytest.mark.parametrize("name", some(list(RUNS), ["masked"]))
def test_no_step_of_a_run_waits(
    name: str, reviews: Path, corpus: Path, tokenizer_folder: Path, run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """After some that make what is kept; of training and of validation, with all that the command line adds."""
    kind, backbone, more = RUNS[name]
    if not ON_CPU:
        batches = 24 if name == "accumulated" else 12
        monkeypatch.setattr(_TrainingEpochLoop, "advance", watched(_TrainingEpochLoop.advance, "error", batches))
        monkeypatch.setattr(_EvaluationLoop, "_evaluation_step", watched(_EvaluationLoop._evaluation_step, "error"))
    config = {"config": {"model_type": backbone, **BACKBONES[backbone][1]}}
    texts = [f"--data.train_files={corpus}", "--data.block_size=24"]
    run(
        *options_of(kind, config, tokenizer_folder, labeled(reviews) if kind == "TextClassification" else texts),
        "--trainer.max_steps=12",
        "--trainer.val_check_interval=8",
        "--trainer.limit_val_batches=6",
        *more,
    )


@pytest.mark.parametrize("full", [False, True], ids=["padded", "full"])
@pytest.mark.parametrize(
    "case",
    [
        ("MaskedLanguageModeling", "bert"),
        ("ReplacedTokenDetection", "electra"),
        ("CausalLanguageModeling", "gpt2"),
        ("CausalLanguageModeling", "llama"),
    ],
    ids="-".join,
)
def test_a_step_alone(case: tuple[str, str], full: bool, tokenizer: Any) -> None:
    """The first one makes what is kept."""
    model = make(*case, tokenizer)
    model.build()
    model.to(DEVICE)
    model.take_shortcuts()
    batch = batch_for(model)
    if full:
        batch["attention_mask"] = torch.ones_like(batch["attention_mask"])
    hinted = on_device(with_hints(batch))
    model.step(hinted, "val")
    if not ON_CPU:
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
    try:
        found = model.step(hinted, "val")
        outputs = found.values() if isinstance(found, dict) else [found]
        torch.stack([output.loss for output in outputs]).sum().backward()
    finally:
        if not ON_CPU:
            torch.cuda.set_sync_debug_mode("default")
