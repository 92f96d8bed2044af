"""The verb `benchmark`: what it measures, says and leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pretune.cli.commands.benchmark import report

Run = Callable[..., Any]
Fails = Callable[..., str]

CONFIG = """
model:
  class_path: MaskedLanguageModeling
  init_args: {{backbone: {{config: {{model_type: bert, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2,
              intermediate_size: 64}}}}}}
data:
  class_path: CorpusDataModule
  init_args: {{train_files: {corpus}, tokenizer: {{train: wordpiece, vocab_size: 90}}, block_size: 16, batch_size: 2}}
trainer: {{accumulate_grad_batches: 2}}
"""


def test_any_configuration_is_measured(
    corpus: Path, run: Run, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    Path("mine.yaml").write_text(CONFIG.format(corpus=corpus))
    found = run("benchmark", "--config", "mine.yaml", "--steps", "3", "--warmup=1", "--json", "found.json")
    assert found == json.loads(Path("found.json").read_text())
    assert found["batches_per_step"] == 2
    assert 0 < found["padding_fraction"] + 1e-9 < 0.5
    assert found["ms_step"] == pytest.approx(
        2 * sum(found[f"ms_{part}"] for part in ("data", "forward", "backward", "optimizer"))
    )
    # Two times 2 x 16 places a step.
    assert found["tokens_per_second"] <= 64 / found["ms_step"] * 1000 * 1.05
    assert found["tokens_per_second"] > 0.3 * 64 / found["ms_step"] * 1000
    assert found["loader_alone"] > 0
    assert found["model_alone"] > 0
    assert found["flops_per_token"] > 0
    assert report(found) in capsys.readouterr().out
    assert not Path("runs").exists()
    told = [record.getMessage() for record in caplog.records]
    assert sum(line.startswith("train: ") for line in told) == 1  # though it trains twice
    assert len(told) == len(set(told))


def test_what_limits_is_said() -> None:
    found: dict[str, Any] = dict.fromkeys(("ms_data", "ms_forward", "ms_backward", "ms_optimizer"), 1.0)
    found |= dict.fromkeys(("tokens_per_second", "samples_per_second", "peak_memory", "teraflops"), 1.0)
    found |= dict.fromkeys(("padding_fraction", "ms_step", "flops_per_token", "loader_alone", "model_alone"), 0.5)
    found |= {"device": "NVIDIA H100", "devices": 8, "threads": None, "precision": "bf16-mixed", "torch": "2"}
    found |= {"model_alone": 2.0, "steps": 9, "peak_teraflops": 989.0, "mfu": 0.4, "waiting": 0.25}
    text = report(found)
    assert text.startswith("8 x NVIDIA H100, bf16-mixed")
    assert report({**found, "threads": 1}).startswith("8 x NVIDIA H100, 1 thread, bf16-mixed")
    assert report({**found, "threads": 2}).startswith("8 x NVIDIA H100, 2 threads, bf16-mixed")
    assert "MFU 40.0% of 989 TFLOP/s" in text
    assert "The data limit: 25%" in text
    assert "The model limits: 5%" in report({**found, "waiting": 0.05, "mfu": None})
    assert "data alone are 40 times as fast as the model; a larger data.batch" in report({**found, "model_alone": 0.1})


def test_bad_options_say_so(corpus: Path, fails: Fails) -> None:
    Path("mine.yaml").write_text(CONFIG.format(corpus=corpus))
    assert "a whole number would work" in fails("benchmark", "--config", "mine.yaml", "--steps=few")
    assert "a whole number would work" in fails("benchmark", "--config", "mine.yaml", "--steps=²")
    assert "at least 1 step" in fails("benchmark", "--config", "mine.yaml", "--steps=0")
