"""Processes that a strategy launches by the same command line: they resume together, divided or not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging
from safetensors.torch import load_file

import pretune
from pretune.errors import InputError
from pretune.modules import Backbone, MaskedLanguageModeling
from pretune.modules.refusals import refuse_divided
from pretune.modules.sharding import shard
from pretune.modules.strategies import FullySharded

CONFIG = """
model:
  class_path: {kind}
  init_args:
    backbone:
      config: {{model_type: {architecture}, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2,
               intermediate_size: 64, tie_word_embeddings: true}}
      dropout: 0.0
    schedule: constant
data:
  class_path: CorpusDataModule
  init_args: {{train_files: {corpus}, tokenizer: {{train: wordpiece, vocab_size: 200}}, block_size: 16, seed: 0}}
trainer:
  accelerator: cpu
  precision: 32-true
  limit_val_batches: 2
  val_check_interval: 2
  enable_progress_bar: false
"""
MODELS = {"MaskedLanguageModeling": "bert", "CausalLanguageModeling": "llama"}


def written(kind: str, corpus: Path) -> str:
    """A configuration."""
    Path("run.yaml").write_text(CONFIG.format(kind=kind, architecture=MODELS[kind], corpus=corpus))
    return "run.yaml"


def launch(*args: str) -> str:
    """Runs the command line as a program of its own; returns what it printed."""
    Path("run.py").write_text("from pretune.main import main\n\nmain()\n")
    place = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(pretune.__file__).parent.parent)}
    environment = {name: value for name, value in os.environ.items() if name not in ("PL_GLOBAL_SEED", "LOCAL_RANK")}
    done = subprocess.run(
        [sys.executable, "run.py", *args], env={**environment, **place}, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def weights() -> dict[str, torch.Tensor]:
    found: dict[str, Any] = load_file(sorted(Path("runs/run").iterdir())[-1] / "export/model.safetensors")
    return found


@pytest.mark.parametrize(
    ("kind", "strategy"),
    [
        ("MaskedLanguageModeling", "ddp"),
        ("MaskedLanguageModeling", "fully_sharded"),
        pytest.param("CausalLanguageModeling", "fully_sharded", marks=pytest.mark.slow),
    ],
)
def test_two_processes_resume_and_learn_what_one_does(
    kind: str, strategy: str, corpus: Path, run: Callable[..., Any]
) -> None:
    """The second one sees a run folder, and a checkpoint, that the first one has chosen."""
    config = written(kind, corpus)
    run("fit", "--config", config, "--trainer.devices=1", "--data.batch_size=8", "--trainer.max_steps=4")
    alone = weights()
    shared = ("--trainer.devices=2", f"--trainer.strategy={strategy}", "--data.batch_size=4")
    launch("fit", "--config", config, *shared, "--trainer.max_steps=2")
    launch("fit", "--config", config, *shared, "--trainer.max_steps=4", "--ckpt_path=last")
    assert sorted(path.name for path in Path("runs/run").iterdir()) == ["version_0", "version_1"]
    found = weights()
    for checkpoint in Path("runs/run/version_1/checkpoints").glob("last.ckpt"):  # one process goes on from two
        further = ("--trainer.devices=1", "--data.batch_size=8", "--trainer.max_steps=5")
        assert run("fit", "--config", config, *further, "--ckpt_path", checkpoint).trainer.global_step == 5
    assert found.keys() == alone.keys()
    for name, weight in found.items():
        torch.testing.assert_close(weight, alone[name], atol=1e-5, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "model.optimizer: muon": ({"optimizer": "muon"}, {}),
    "model.l2_sp": ({"l2_sp": 0.1}, {}),
    "model.backbone.lora": ({"lora": {"r": 2}}, {}),
    "averaged weights": ({}, {"callbacks": [EMAWeightAveraging()]}),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_cannot_be_divided_says_so(name: str, tiny: dict[str, Any]) -> None:
    options, trained = REFUSED[name]
    backbone = Backbone(config=tiny, lora=options.get("lora"))
    model = MaskedLanguageModeling(backbone, **{key: value for key, value in options.items() if key != "lora"})
    model.trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, **trained)
    with pytest.raises(InputError, match=f"{name}.* cannot be had with a network divided over devices"):
        refuse_divided(model)


def test_every_process_has_something_to_evaluate(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = FullySharded()
    monkeypatch.setattr(FullySharded, "world_size", 2)
    few, enough = (torch.utils.data.DataLoader(list(range(size))) for size in (1, 2))  # type: ignore[arg-type]
    for part, hook in (("val", strategy.on_validation_start), ("test", strategy.on_test_start)):
        trainer = SimpleNamespace(**{f"{part}_dataloaders": enough})
        strategy._lightning_module = SimpleNamespace(trainer=trainer)  # type: ignore[assignment]
        hook()
        setattr(trainer, f"{part}_dataloaders", {"a": iter([1])})  # nobody knows how many
        hook()
        setattr(trainer, f"{part}_dataloaders", [enough, few])
        with pytest.raises(InputError, match="part has 1 examples for 2 processes"):
            hook()


def test_networks_that_share_parameters_are_not_divided() -> None:
    first = torch.nn.Linear(2, 2)
    with pytest.raises(InputError, match=r"model\.share_embeddings: false would work"):
        shard([first, torch.nn.Sequential(first)], None, torch.device("cpu"))
