"""What fine-tuning forgets: against the objective's own validation, and distances by hand."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from switched import QUIET, loader  # type: ignore[import-not-found]
from test_combinations import BACKBONES  # type: ignore[import-not-found]

from pretune.datamodules import CorpusDataModule
from pretune.errors import InputError
from pretune.modules import Backbone, CausalLanguageModeling, MaskedLanguageModeling, SpanDenoising, TextClassification
from pretune.modules.callbacks import Forgetting

Run = Callable[..., Any]
HEADS = {"bert": MaskedLanguageModeling, "llama": CausalLanguageModeling, "t5": SpanDenoising}


@pytest.fixture
def args(reviews: Path, encoder: Path, corpus: Path) -> list[str]:
    forgetting = {
        "class_path": "Forgetting",
        "init_args": {
            "data": {"class_path": "CorpusDataModule", "init_args": {"test_files": "corpus.txt", "block_size": 32}}
        },
    }
    return [
        "--model=TextClassification", f"--model.backbone={encoder}", "--model.learning_rate=3e-3",
        "--data=TextClassificationDataModule", "--data.train_files=reviews.csv", "--data.text_column=review",
        "--data.label_column=stars", "--name=run", "--trainer.max_epochs=3", "--trainer.precision=32-true",
        f"--trainer.callbacks+={json.dumps(forgetting)}",
    ]  # fmt: skip


def forgotten(cli: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((cli.run.folder / "summary.json").read_text())["forgetting"]
    return found


def test_before_is_what_the_pretrained_model_scores(
    args: list[str], run: Run, encoder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    cli = run("fit", *args)
    found = forgotten(cli)
    tested = run(
        "test", "--model=MaskedLanguageModeling", f"--model.backbone={encoder}", "--data=CorpusDataModule",
        "--data.test_files=corpus.txt", "--data.block_size=32", "--trainer.precision=32-true",
    ).trainer.callback_metrics  # fmt: skip
    assert found["before"]["loss"] == pytest.approx(float(tested["test/loss"]), abs=1e-5)
    assert found["before"]["perplexity"] == pytest.approx(float(tested["test/perplexity"]), rel=1e-4)
    assert found["after"]["loss"] != found["before"]["loss"]
    assert found["before"]["tokens_per_word"] > 1
    assert list(found["moved"]) == ["embeddings", "layer 1", "layer 2"]
    assert all(0 < share < 1 for share in found["moved"].values())
    assert "Pretraining loss on held-out text" in caplog.text


def test_what_is_frozen_is_not_forgotten(args: list[str], run: Run) -> None:
    found = forgotten(run("fit", *args, "--model.backbone.freeze=all"))
    assert found["after"] == found["before"]
    assert set(found["moved"].values()) == {0.0}
    found = forgotten(run("fit", *args, "--model.backbone.freeze=1"))
    assert found["moved"]["embeddings"] == found["moved"]["layer 1"] == 0.0 < found["moved"]["layer 2"]


def test_adapters_count_as_merged(args: list[str], run: Run) -> None:
    pytest.importorskip("peft")
    found = forgotten(run("fit", *args, "--model.backbone.lora={r: 4}", "--model.learning_rate=1e-2"))
    assert found["moved"]["embeddings"] == 0.0 < found["moved"]["layer 1"]
    assert found["after"]["loss"] != found["before"]["loss"]


@pytest.mark.parametrize("family", HEADS)
def test_every_family(family: str, tokenizer: Any, corpus: Path, tmp_path: Path) -> None:
    """By hand: one layer is multiplied, and the loss afterwards is that of the pretrained model with that layer."""
    torch.manual_seed(0)
    pretrained = HEADS[family](Backbone(config={"model_type": family, **BACKBONES[family][1]}))
    pretrained.tokenizer = tokenizer
    if family == "t5":
        from pretune.text.tokenizer import load_tokenizer
        from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer

        train_tokenizer(TrainTokenizer("unigram", 200), iter(corpus.read_text().split("\n")), tmp_path / "t5-words")
        pretrained.tokenizer = load_tokenizer(str(tmp_path / "t5-words"))
    pretrained.save_pretrained(tmp_path / "weights")
    model = TextClassification(
        Backbone(str(tmp_path / "weights"), dropout=0.0), labels=["a", "b", "c"], learning_rate=1e-12, weight_decay=0.0
    )
    model.tokenizer = pretrained.tokenizer
    callback = Forgetting(CorpusDataModule(test_files=str(corpus), block_size=32))
    trainer = Trainer(max_steps=1, callbacks=[callback], **QUIET)
    real, seen = callback._evaluate, []

    def evaluate(module: Any, device: torch.device, changed: bool) -> Any:
        if changed:
            with torch.no_grad():
                for name, parameter in module.model.named_parameters():
                    if ".1." in name:
                        parameter.mul_(5)
        seen.append(real(module, device, changed))
        return seen[-1]

    callback._evaluate = evaluate  # type: ignore[method-assign]
    trainer.fit(model, loader(1))
    assert seen[0] is not None
    assert abs(seen[1]["loss"] - seen[0]["loss"]) > 1e-5


def test_weights_without_a_head_are_measured_by_distance_alone(
    args: list[str], run: Run, encoder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from transformers import AutoModel, AutoTokenizer

    AutoModel.from_pretrained(encoder).save_pretrained("headless")
    AutoTokenizer.from_pretrained(encoder).save_pretrained("headless")
    found = forgotten(run("fit", *args, "--model.backbone=headless"))
    assert set(found) == {"moved"}
    assert "has no pretrained head for MaskedLanguageModeling" in caplog.text


def test_from_scratch_there_is_nothing_to_forget(tiny: dict[str, Any], tokenizer: Any) -> None:
    model = TextClassification(Backbone(config=tiny), labels=["a", "b", "c"])
    model.tokenizer = tokenizer
    with pytest.raises(InputError, match="needs a backbone with a name"):
        Trainer(max_steps=1, callbacks=[Forgetting()], **QUIET).fit(model, loader(1))


def test_wrong_texts_are_refused(args: list[str], fails: Callable[..., str]) -> None:
    def said(data: dict[str, Any] | None) -> str:
        forgetting = {"class_path": "Forgetting", "init_args": {"data": data}}
        return fails("fit", *args[:-1], f"--trainer.callbacks+={json.dumps(forgetting)}")

    rows = {"test_files": "reviews.csv", "text_column": "review", "label_column": "stars"}
    message = said({"class_path": "TextClassificationDataModule", "init_args": rows})
    assert "TextClassificationDataModule cannot be held out for MaskedLanguageModeling: CorpusDataModule" in message
    message = said({"class_path": "CorpusDataModule", "init_args": {"test_files": "nowhere.txt"}})
    assert "There is no file nowhere.txt" in message
    message = said({"class_path": "CorpusDataModule", "init_args": {"train_files": "corpus.txt"}})
    assert "set data.test_files" in message


def test_looking_changes_no_training(args: list[str], run: Run) -> None:
    from safetensors.torch import load_file

    with_, without = (
        load_file(run("fit", *arguments).run.folder / "export/model.safetensors") for arguments in (args, args[:-1])
    )
    assert all(torch.equal(value, without[name]) for name, value in with_.items())
