"""Selection through the real command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests_support import sentence

CONFIG = """
model:
  class_path: MaskedLanguageModeling
  init_args:
    backbone: {config: {model_type: bert, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2}}
data:
  class_path: CorpusDataModule
  init_args:
    train_files: corpus.txt
    tokenizer: {train: wordpiece, vocab_size: 200}
    block_size: 16
    batch_size: 8
    selection: {method: importance, keep: 0.25, target: target.jsonl, target_columns: [text], against: test.txt}
trainer: {max_steps: 3, precision: 32-true}
"""


@pytest.fixture
def config(corpus: Path) -> str:
    Path("selected.yaml").write_text(CONFIG)
    Path("target.jsonl").write_text("".join(json.dumps({"text": sentence(i), "n": "x"}) + "\n" for i in range(9)))
    Path("test.txt").write_text(sentence(8, 14))  # as line 8 of the corpus, and others
    return "selected.yaml"


def test_fit_and_inspect(config: str, run: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        cli = run("fit", "--config", config)
    said = caplog.text
    assert cli.datamodule.counts["validation"]["documents"] == 12  # of 240
    kept = cli.datamodule.counts["train"]["documents"]
    assert "documents, which share 13 words with test.txt" in said
    assert f"{kept:,} of " in said
    assert "documents kept by importance to target.jsonl" in said
    assert "contaminated" in said
    assert "not selected" in said
    saved = Path("runs/selected/version_0/config.yaml").read_text()
    assert "method: importance" in saved
    seen = run("inspect", "--config", "runs/selected/version_0/config.yaml")
    assert any("kept by importance to target.jsonl" in note for part in seen.surveys.values() for note in part.notes)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--data.selection.keep=0", "data.selection.keep is 0.0; it must be above 0"),
        ("--data.selection.keep=900", "data.selection.keep is 900, but "),
        ("--data.selection.target=none.txt", "There is no file none.txt"),
        ("--data.selection.keap=1", "data.selection.keap"),
        ("--data.prepared=x", "data.prepared"),
    ],
)
def test_slips(option: str, message: str, config: str, fails: Callable[..., str]) -> None:
    assert message in fails("fit", "--config", config, option)


def test_what_is_prepared_was_selected_from_before(fails: Callable[..., str]) -> None:
    message = fails(
        "fit",
        "--model=MaskedLanguageModeling",
        "--model.backbone={config: {model_type: bert}}",
        "--data=CorpusDataModule",
        "--data.prepared=somewhere",
        "--data.selection={method: random, keep: 0.5}",
    )
    assert message.startswith("error: data.selection goes by texts, and what is prepared (somewhere) holds tokens")


def test_prepare_refuses_what_it_does_not_do(config: str, fails: Callable[..., str]) -> None:
    pytest.importorskip("datatrove")
    message = fails("prepare", "--config", config, "--output=prepared")
    assert message.startswith("error: data.selection is not done by `prepare`")
    assert not Path("prepared").exists()
