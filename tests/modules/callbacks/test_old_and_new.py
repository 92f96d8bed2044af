"""An update on the real command line: old and new text before and after, and the runs behind the weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests_support import sentence  # type: ignore[import-not-found]

Run = Callable[..., Any]


@pytest.fixture
def args(corpus: Path, encoder: Path) -> list[str]:
    new = [f"the bookshop sold one filmstrip and the songwriter {sentence(i, 5)}" for i in range(200)]
    Path("new.txt").write_text("\n".join(new[:160]))
    Path("new-held-out.txt").write_text("\n".join(new[160:]))
    parts = {
        name: {"class_path": "CorpusDataModule", "init_args": {"test_files": file, "block_size": 32}}
        for name, file in (("old", "corpus.txt"), ("new", "new-held-out.txt"))
    }
    sources = [{"files": "new.txt", "weight": 3}, {"files": "corpus.txt", "weight": 1}]
    return [
        "fit", "--model=MaskedLanguageModeling", "--model.learning_rate=3e-3", "--data=CorpusDataModule",
        f"--data.sources={json.dumps(sources)}", "--data.block_size=32", "--data.batch_size=8",
        f"--trainer.callbacks+={json.dumps({'class_path': 'OldAndNew', 'init_args': parts})}",
        "--trainer.max_epochs=2", "--trainer.precision=32-true",
    ]  # fmt: skip


def test_an_update_and_another(args: list[str], encoder: Path, run: Run) -> None:
    extend = f"--data.tokenizer={{extend: {encoder}, words: 3, min_frequency: 2}}"
    cli = run(*args, "--name=update", f"--model.backbone={encoder}", extend)
    found = json.loads((cli.run.folder / "summary.json").read_text())["old_and_new"]
    tested = run(
        "test", "--model=MaskedLanguageModeling", f"--model.backbone={encoder}", "--data=CorpusDataModule",
        "--data.test_files=new-held-out.txt", "--data.block_size=32", "--trainer.precision=32-true", "--name=before",
    ).trainer.callback_metrics  # fmt: skip
    assert found["before"]["new"]["loss"] == pytest.approx(float(tested["test/loss"]), abs=1e-5)
    assert found["after"]["new"]["loss"] < found["before"]["new"]["loss"]
    assert found["after"]["new"]["tokens_per_word"] < found["before"]["new"]["tokens_per_word"]
    assert found["after"]["old"]["tokens_per_word"] == found["before"]["old"]["tokens_per_word"]
    export = json.loads((cli.run.folder / "export/config.json").read_text())
    assert [entry["class"] for entry in export["pretune_lineage"]] == ["MaskedLanguageModeling"]
    assert export["pretune_lineage"][0]["from"] == encoder.name  # no place on this machine

    again = run(*args, "--name=again", "--model.backbone=runs/update", "--trainer.max_epochs=1")
    chain = json.loads((again.run.folder / "export/config.json").read_text())["pretune_lineage"]
    assert [entry["from"] for entry in chain] == [encoder.name, "runs/update"]
    card = (again.run.folder / "export/README.md").read_text()
    assert f"1. `MaskedLanguageModeling` on `{chain[0]['data']}`" in card
    assert "2. `MaskedLanguageModeling` on" in card
    assert "from `runs/update`" in card
    resumed = run(*args, "--name=again", "--model.backbone=runs/update", "--ckpt_path=last")
    third = json.loads((resumed.run.folder / "export/config.json").read_text())["pretune_lineage"]
    assert len(third) == 2  # the same run, gone on


def test_from_scratch_there_is_nothing_to_update(args: list[str], fails: Callable[..., str]) -> None:
    backbone = "--model.backbone={config: {model_type: bert, hidden_size: 32, num_attention_heads: 2}}"
    message = fails(*args, "--name=x", backbone, "--data.tokenizer={train: wordpiece, vocab_size: 200}")
    assert "needs a backbone with a name" in message
