"""Runs one after another, of which each launches processes of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import pretune
from pretune.cli.commands import one_run
from pretune.cli.commands.one_run import LAUNCH, run_alone

CONFIG = """
model:
  class_path: TextClassification
  init_args:
    backbone: {{config: {{model_type: bert, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2,
               intermediate_size: 16}}}}
data:
  class_path: TextClassificationDataModule
  init_args: {{train_files: {reviews}, label_column: stars, tokenizer: {{train: wordpiece, vocab_size: 60}}}}
trainer: {{max_steps: 2, accelerator: cpu, precision: 32-true, devices: 2, strategy: ddp, enable_progress_bar: false}}
"""


def test_nothing_is_left_of_a_launch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes read the arguments of this one, and the next run must launch its own."""
    for name in LAUNCH:
        monkeypatch.delenv(name, raising=False)
    seen: list[list[str]] = []
    process = subprocess.Popen([sys.executable, "-c", "pass"])

    def main(args: Any) -> Any:
        seen.append(sys.argv[1:])
        assert "LOCAL_RANK" not in os.environ
        os.environ.update(LOCAL_RANK="0", MASTER_PORT="1")
        return SimpleNamespace(
            trainer=SimpleNamespace(strategy=SimpleNamespace(launcher=SimpleNamespace(procs=[process])))
        )

    monkeypatch.setattr(one_run, "run_command", main)
    before = list(sys.argv)
    for verb in ("fit", "validate"):
        run_alone([verb, "--name=a"])
    assert seen == [["fit", "--name=a"], ["validate", "--name=a"]]
    assert sys.argv == before
    assert process.returncode == 0
    assert not {"LOCAL_RANK", "MASTER_PORT"} & set(os.environ)
    monkeypatch.setenv("LOCAL_RANK", "0")  # of torchrun: the next run needs it

    def external(args: Any) -> Any:
        raise ValueError("broken")

    monkeypatch.setattr(one_run, "run_command", external)
    with pytest.raises(ValueError, match="broken"):
        run_alone(["fit"])
    assert os.environ["LOCAL_RANK"] == "0"


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available(), reason="one process only")
def test_seeds_by_two_processes(reviews: Path) -> None:
    Path("mine.yaml").write_text(CONFIG.format(reviews=reviews))
    log = "logging.getLogger('lightning.fabric.utilities.seed').addHandler(logging.StreamHandler())"  # it is not shown
    Path("run.py").write_text(f"import logging\nfrom pretune.main import main\n\n{log}\nmain()\n")
    place = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(pretune.__file__).parent.parent)}
    environment = {name: value for name, value in os.environ.items() if name not in ("PL_GLOBAL_SEED", "LOCAL_RANK")}
    done = subprocess.run(
        [sys.executable, "run.py", "fit", "--config", "mine.yaml", "--seeds", "1,2"],
        env={**environment, **place}, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads(Path("runs/mine/seeds.json").read_text())
    assert results["broke_off"] == {}
    assert list(results["metrics"]["val/loss"]["seeds"]) == ["1", "2"]
    for seed in (1, 2):
        assert (done.stdout + done.stderr).count(f"[rank: 1] Seed set to {seed}") == 2  # fit and validate
        assert [path.name for path in Path(f"runs/mine/seed_{seed}").glob("version_*")] == ["version_0"]
