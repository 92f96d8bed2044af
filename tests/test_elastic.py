"""A run goes on on more processes, and on fewer: the same rows in the same order, and the weights of one that never
stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from test_launched import launch  # type: ignore[import-not-found]
from tests_support import sentence  # type: ignore[import-not-found]

NETWORK = """{model_type: %s, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 64}"""
CASES = {
    "packed mixture": """
model:
  class_path: CausalLanguageModeling
  init_args: {backbone: {config: NETWORK, dropout: 0.0}, learning_rate: 0.003, schedule: constant, warmup: 0}
data:
  class_path: CorpusDataModule
  init_args:
    sources: [{files: a.txt, weight: 3}, {files: b.txt}]
    tokenizer: {train: bytelevel, vocab_size: 300}
    block_size: 48
    packing: true
    validation_fraction: 0.1
""".replace("NETWORK", NETWORK % "llama"),
    "stages": """
model:
  class_path: CausalLanguageModeling
  init_args: {backbone: {config: NETWORK, dropout: 0.0}, learning_rate: 0.003, schedule: constant, warmup: 0}
data:
  class_path: CorpusDataModule
  init_args:
    sources: [{files: a.txt}, {files: b.txt}]
    tokenizer: {train: bytelevel, vocab_size: 300}
    block_size: 32
    validation_fraction: 0.1
    stages: [{tokens: 512, block_size: 16}, {tokens: 4096, weights: [0, 1], rate: 0.5}]
""".replace("NETWORK", NETWORK % "llama"),
    "labeled": """
model:
  class_path: TextClassification
  init_args: {backbone: {config: NETWORK, dropout: 0.0}, learning_rate: 0.003, schedule: constant, warmup: 0}
data:
  class_path: TextClassificationDataModule
  init_args:
    train_files: rows.csv
    text_column: text
    label_column: label
    tokenizer: {train: wordpiece, vocab_size: 200}
    validation_fraction: 0.2
""".replace("NETWORK", NETWORK % "bert"),
}
FIXED = "\ntrainer: {accelerator: cpu, precision: 32-true, limit_val_batches: 1, enable_progress_bar: false}\n"


@pytest.mark.slow
@pytest.mark.parametrize("case", list(CASES))
def test_weights_are_those_of_a_run_that_never_stopped(case: str, run: Callable[..., Any]) -> None:
    Path("a.txt").write_text("\n".join(sentence(i, 5 + i % 20) for i in range(300)) + "\n")
    Path("b.txt").write_text("\n".join(sentence(i, 5 + i % 9) for i in range(300, 420)) + "\n")
    rows = [f"{sentence(i, 3 + i % 11)} {'good' if i % 2 else 'bad'},{'yes' if i % 2 else 'no way'}" for i in range(96)]
    Path("rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    Path("run.yaml").write_text(CASES[case] + FIXED)
    steps = ("--trainer.max_epochs=1", "--export_check=false", "--early_stopping=null")
    run("fit", "--config=run.yaml", "--name=alone", "--data.batch_size=4", *steps, "--trainer.max_steps=9")
    shared = ("fit", "--config", "run.yaml", "--name=elastic", *steps)
    launch(*shared, "--data.batch_size=4", "--trainer.max_steps=3")
    for devices, until in ((4, 6), (2, 9)):
        processes = (f"--trainer.devices={devices}", "--trainer.strategy=ddp", f"--data.batch_size={4 // devices}")
        launch(*shared, *processes, f"--trainer.max_steps={until}", "--ckpt_path=last")
    one, other = (torch.load(_last(name), weights_only=False)["state_dict"] for name in ("alone", "elastic"))
    assert one.keys() == other.keys()
    for name, weight in one.items():
        torch.testing.assert_close(other[name], weight, atol=1e-5, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}")


def _last(name: str) -> Path:
    return sorted(Path("runs", name).iterdir())[-1] / "checkpoints" / "last.ckpt"
