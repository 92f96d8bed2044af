"""Two processes over gloo: the same step as one process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

CODE = """
import sys, torch
sys.path.insert(0, {tests!r})
torch.set_num_threads(1)
from lightning.pytorch import Trainer
from pretune.datamodules import TextClassificationDataModule, CorpusDataModule
from pretune.modules import Backbone, MaskedLanguageModeling, TextClassification

kind, devices, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
config = dict(model_type="bert", hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
options = dict(learning_rate=1.0, optimizer="sgd", schedule="constant", warmup=0.0)
backbone = Backbone(config=config, dropout=0.0)
torch.manual_seed(0)
shared = dict(tokenizer={tokenizer!r}, batch_size=16 // devices, num_workers=0)
if kind == "masked":
    data = CorpusDataModule("corpus.txt", block_size=16, **shared)
    model = MaskedLanguageModeling(backbone, **options)
else:
    data = TextClassificationDataModule("reviews.csv", text_column="review", label_column="stars", **shared)
    model = TextClassification(backbone, **options)
trainer = Trainer(
    accelerator="cpu", devices=devices, strategy="ddp" if devices > 1 else "auto", max_steps=2, logger=False,
    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
    val_check_interval=2,
)
trainer.fit(model, data)
if trainer.is_global_zero:
    loss = trainer.callback_metrics["val/loss"]
    torch.save({{"state": model.model.state_dict(), "loss": loss}}, out)
"""


@pytest.mark.parametrize("kind", ["masked", "classification"])
def test_two_processes_step_as_one(kind: str, corpus: Path, reviews: Path, tokenizer_folder: Path) -> None:
    code = CODE.format(tests=str(Path(__file__).parent.parent), tokenizer=str(tokenizer_folder))
    Path("run.py").write_text(code)
    found: list[dict[str, Any]] = []
    for devices in (1, 2):
        done = subprocess.run(
            [sys.executable, "run.py", kind, str(devices), f"{devices}.pt"],
            capture_output=True,
            text=True,
            check=False,
            # The command line, in an earlier test of this process, leaves its seed to what Lightning launches.
            env={key: value for key, value in os.environ.items() if key != "PL_GLOBAL_SEED"},
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found.append(torch.load(f"{devices}.pt"))
    for name, value in found[0]["state"].items():
        torch.testing.assert_close(
            found[1]["state"][name], value, atol=5e-6, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}"
        )
    torch.testing.assert_close(found[1]["loss"], found[0]["loss"], atol=1e-5, rtol=1e-5)
