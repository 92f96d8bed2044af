"""The installed command, with the user's own code beside the YAML."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CONFIG = """
model:
  class_path: mine.Mine
  init_args:
    backbone: {config: {model_type: bert, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2,
                        intermediate_size: 32}}
    gamma: 2.5
data:
  class_path: TextClassificationDataModule
  init_args: {train_files: reviews.csv, tokenizer: {train: wordpiece, vocab_size: 80}, batch_size: 8}
trainer: {accelerator: cpu, max_steps: 2, val_check_interval: 2, enable_progress_bar: false}
"""
MINE = """
from beside import TONE
from lightning.pytorch import Callback

from pretune.modules import TextClassification


class Mine(TextClassification):
    def __init__(self, *args, gamma: float = 1.0, **kwargs):
        super().__init__(*args, **kwargs)
        self.gamma = gamma


class Hello(Callback):
    def on_fit_start(self, trainer, module):
        print("HELLO", type(module).__name__, module.gamma, TONE)
"""
Command = Callable[..., Any]


@pytest.fixture
def command(site: Path, environment: dict[str, str], material: Path, tmp_path: Path) -> Command:
    """Runs `pretune`, as pip installs it, in a folder with reviews."""
    shutil.copyfile(material / "reviews.csv", tmp_path / "reviews.csv")

    def run(*args: str, cwd: Path = tmp_path) -> Any:
        return subprocess.run(
            [site / "bin/pretune", *args], cwd=cwd, env=environment, capture_output=True, text=True, timeout=200
        )

    return run


def last_line(done: Any) -> str:
    message: str = done.stderr.strip().splitlines()[-1]
    assert done.returncode not in (0, -6)
    assert message.startswith("error: ")
    assert "Traceback" not in done.stderr
    return message


def write(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "run.yaml").write_text(CONFIG)
    (folder / "mine.py").write_text(MINE)
    (folder / "beside.py").write_text("TONE = 'kind'\n")


def test_own_code_beside_the_yaml_and_in_the_working_folder(command: Command, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere")
    (tmp_path / "json.py").write_text("raise SystemExit('a file of the user stands in for a library')")
    (tmp_path / "runs.py").write_text("class Own: pass\n")  # the name of a module of ours
    (tmp_path / "here.py").write_text("from runs import Own\nfrom mine import Hello as Greeting\n")
    done = command("fit", "--config", "elsewhere/run.yaml", "--trainer.callbacks+=here.Greeting")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "HELLO Mine 2.5 kind" in done.stdout
    assert "object at 0x" not in done.stdout + done.stderr
    assert (tmp_path / "runs/run/version_0/export/model.safetensors").is_file()


def test_own_code_that_is_not_there_or_does_not_work(command: Command, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "beside.py").unlink()
    done = command("fit", "--config=run.yaml")
    assert "mine.Mine: mine cannot be imported: No module named 'beside'" in last_line(done)
    (tmp_path / "mine.py").write_text("class Mine(:\n")
    assert "SyntaxError" in last_line(command("fit", "--config=run.yaml"))
    (tmp_path / "mine.py").unlink()
    done = command("fit", "--config=run.yaml")
    assert "there is no module 'mine', for mine.Mine" in last_line(done)
    assert "PYTHONPATH" in last_line(done)


def test_help_names_the_command(command: Command) -> None:
    done = command("--help")
    assert done.returncode == 0
    assert done.stdout.startswith("usage: pretune VERB")
