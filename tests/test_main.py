"""The real command line, end to end."""

from __future__ import annotations

import csv
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from pretune.main import main as command

MASKED = """
model:
  class_path: MaskedLanguageModeling
  init_args:
    backbone:
      config: {model_type: bert, hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 64}
    mask_probability: 0.3
    learning_rate: 1.0e-3
data:
  class_path: CorpusDataModule
  init_args:
    train_files: "*.txt"
    tokenizer: {train: wordpiece, vocab_size: 200}
    block_size: 16
    batch_size: 8
trainer: {max_epochs: 2, precision: 32-true}
"""

SENTIMENT = """
model:
  class_path: TextClassification
  init_args:
    backbone: runs/masked
    learning_rate: 2.0e-3
data:
  class_path: TextClassificationDataModule
  init_args:
    train_files: reviews.csv
    text_column: review
    label_column: stars
    batch_size: 8
early_stopping: {patience: 3}
trainer: {max_epochs: 6, precision: 32-true}
"""

Run = Callable[..., Any]
Fails = Callable[..., str]


def table(path: str | Path) -> list[dict[str, str]]:
    """The rows of a csv file."""
    return list(csv.DictReader(Path(path).read_text().splitlines()))


def read(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a jsonl file."""
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


@pytest.fixture
def masked(corpus: Path) -> str:
    Path("masked.yaml").write_text(MASKED)
    return "masked.yaml"


@pytest.fixture
def sentiment(masked: str, reviews: Path, run: Run) -> str:
    run("fit", "--config", masked, "--trainer.max_epochs=1")
    Path("sentiment.yaml").write_text(SENTIMENT)
    return "sentiment.yaml"


def test_the_road(sentiment: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Pretrain, fine-tune, test, predict; then the export without us."""
    cli = run("fit", "--config", sentiment)
    folder = Path("runs/sentiment/version_0")
    assert cli.run.folder == folder
    for name in ("config.yaml", "metrics.csv", "summary.json", "checkpoints/best.ckpt", "checkpoints/last.ckpt"):
        assert (folder / name).is_file(), name
    assert list(folder.glob("events.out.tfevents.*"))
    assert sorted(p.name for p in (folder / "export").iterdir()) == [
        "README.md", "checksums.json", "config.json", "curves.png", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    ]  # fmt: skip
    assert "37 tensors loaded, 4 new, 5 unused" in cli.model.weight_report.__str__()
    card = (folder / "export/README.md").read_text()
    assert "learning_rate: 0.002" in card
    assert "_instantiator" not in card
    rows = table(folder / "metrics.csv")
    accuracies = [float(row["val/accuracy"]) for row in rows if row["val/accuracy"]]
    assert 5 <= len(accuracies) <= 7  # before training, then patience 3
    assert max(accuracies) > 0.85  # a word tells the labels apart
    summary = json.loads((folder / "summary.json").read_text())["fit"]
    assert summary["best"] == max(accuracies)

    cli = run("test", "--config", sentiment, "--data.test_files=reviews.csv")
    assert cli.run.folder == folder
    accuracy = json.loads((folder / "summary.json").read_text())["test"]["test/accuracy"]
    assert accuracy > 0.85

    run("predict", "--config", sentiment, "--data.predict_files=reviews.csv")
    lines = read(folder / "predictions.jsonl")
    inputs = table("reviews.csv")
    assert [{k: line[k] for k in ("review", "stars")} for line in lines] == inputs
    for line in lines:
        assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert max(line["probabilities"], key=line["probabilities"].get) == line["prediction"]
    assert sum(line["prediction"] == line["stars"] for line in lines) == pytest.approx(accuracy * len(lines))

    from transformers import pipeline

    classify = pipeline("text-classification", str(folder / "export"), device="cpu")
    for line in lines[:5]:
        answer = classify(line["review"])[0]
        assert answer["label"] == line["prediction"]
        assert answer["score"] == pytest.approx(line["probabilities"][answer["label"]], abs=1e-5)


def test_an_exported_model_predicts_without_its_run(sentiment: str, run: Run, tmp_path: Path) -> None:
    run("fit", "--config", sentiment)
    run("test", "--config", sentiment, "--data.test_files=reviews.csv")
    before = json.loads(Path("runs/sentiment/version_0/summary.json").read_text())["test"]
    run("predict", "--config", sentiment, "--data.predict_texts=[a good film, a bad one]")
    expected = [row["prediction"] for row in read("runs/sentiment/version_0/predictions.jsonl")]
    Path("runs/sentiment/version_0/export").rename("mine")
    shutil.rmtree("runs")
    args = ("--model=TextClassification", "--model.backbone=mine", "--data=TextClassificationDataModule", "--name=use")
    run("predict", *args, "--data.predict_texts=[a good film, a bad one]")
    assert [row["prediction"] for row in read("runs/use/version_0/predictions.jsonl")] == expected
    assert set(expected) <= {"positive", "negative"}
    test = ("--data.test_files=reviews.csv", "--data.text_column=review", "--data.label_column=stars")
    run("test", *args, *test)
    scores = json.loads(Path("runs/use/version_1/summary.json").read_text())["test"]
    assert scores["test/accuracy"] == before["test/accuracy"] > 0.85


def test_texts_and_csv(sentiment: str, run: Run) -> None:
    run("fit", "--config", sentiment, "--trainer.max_epochs=1")
    run("predict", "--config", sentiment, "--data.predict_texts=[a good film, a bad one]", "--predictions=csv")
    rows = table("runs/sentiment/version_0/predictions.csv")
    assert list(rows[0]) == ["review", "prediction", "probabilities.negative", "probabilities.positive"]
    assert [row["review"] for row in rows] == ["a good film", "a bad one"]


def test_every_verb_of_pretraining(masked: str, run: Run) -> None:
    run("fit", "--config", masked)
    run("validate", "--config", masked)
    run("test", "--config", masked, "--data.test_files=corpus.txt", "--ckpt_path=runs/masked/version_0")
    scores = json.loads(Path("runs/masked/version_0/summary.json").read_text())["test"]
    assert scores["test/perplexity"] == pytest.approx(torch.tensor(scores["test/loss"]).exp().item(), rel=1e-4)


def test_the_saved_configuration_repeats_the_run(masked: str, run: Run) -> None:
    from safetensors.torch import load_file

    run("fit", "--config", masked)
    run("fit", "--config", "runs/masked/version_0/config.yaml")
    first, second = (load_file(f"runs/masked/version_{i}/export/model.safetensors") for i in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    saved = yaml.safe_load(Path("runs/masked/version_0/config.yaml").read_text())
    assert saved["trainer"]["max_epochs"] == 2
    assert saved["early_stopping"]["patience"] == 5


def test_parts_are_swapped_from_the_command_line_and_by_overlays(sentiment: str, encoder: Path, run: Run) -> None:
    Path("overlay.yaml").write_text("model: {init_args: {warmup: 3}}\ntrainer: {max_epochs: 1}\nname: other\n")
    cli = run("fit", "--config", sentiment, "--config", "overlay.yaml", f"--model.backbone={encoder}")
    assert cli.model.backbone.name == str(encoder)
    assert cli.model.warmup == 3
    assert cli.trainer.max_epochs == 1
    assert cli.run.folder == Path("runs/other/version_0")
    cli = run("fit", "--config", sentiment, "--config", "overlay.yaml", "--model.backbone.dropout=0.3")
    assert (cli.model.backbone.name, cli.model.backbone.dropout) == ("runs/masked", 0.3)
    assert cli.model.model.config.hidden_dropout_prob == 0.3
    cli = run(
        "fit", "--config", sentiment, "--config", "overlay.yaml", "--early_stopping=null", "--model.monitor=val/loss"
    )
    assert not cli.trainer.early_stopping_callbacks
    assert cli.trainer.checkpoint_callback.mode == "min"


def test_early_stopping_keeps_the_best_weights_and_says_why(
    sentiment: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scripted metric dictates when training stops and which weights are kept."""
    from pretune.modules import TextClassification

    scores = iter([0.5, 0.9, 0.6, 0.7, 0.2, 0.1, 0.1])
    kept: list[dict[str, torch.Tensor]] = []

    def validation(self: Any) -> None:
        kept.append({k: v.clone() for k, v in self.model.state_dict().items()})
        self.log("val/scripted", next(scores))

    monkeypatch.setattr(TextClassification, "on_validation_epoch_end", validation)
    options = (
        "--model.monitor=val/scripted",
        "--model.monitor_mode=max",
        "--early_stopping.patience=2",
        "--trainer.max_epochs=9",
    )
    cli = run("fit", "--config", sentiment, *options, "--trainer.num_sanity_val_steps=0")
    assert len(kept) == 4  # best at 2, then two without an improvement
    assert all(torch.equal(value, kept[1][name]) for name, value in cli.model.model.state_dict().items())
    assert not torch.equal(kept[1]["classifier.weight"], kept[3]["classifier.weight"])
    summary = json.loads(Path("runs/sentiment/version_0/summary.json").read_text())["fit"]
    assert summary["best"] == pytest.approx(0.9)
    assert "did not improve in the last 2" in summary["stopped"]


def test_a_misspelled_metric_is_said_before_training(
    sentiment: str, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pretune.modules import TextClassification

    monkeypatch.setattr(TextClassification, "training_step", lambda *_: pytest.fail("was trained"))
    assert "it logs: val/accuracy" in fails("fit", "--config", sentiment, "--model.monitor=val/f3")


def test_no_validation_of_the_weights_that_are_kept(sentiment: str, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    run("fit", "--config", sentiment, "--trainer.max_steps=1", "--trainer.limit_val_batches=0")
    assert "There was no validation: the last weights are kept" in caplog.text


def test_a_run_that_was_stopped_early_stays_stopped(sentiment: str, run: Run) -> None:
    options = ("--early_stopping.patience=1", "--model.learning_rate=1e-9")
    first = run("fit", "--config", sentiment, *options, "--trainer.max_epochs=9")
    again = run("fit", "--config", sentiment, *options, "--trainer.max_epochs=9", "--ckpt_path=last")
    assert again.trainer.global_step == first.trainer.global_step
    summary = json.loads((again.run.folder / "summary.json").read_text())["fit"]
    assert "had not improved in 1 validations when the run was resumed" in summary["stopped"]


def test_no_validation_is_fine(masked: str, run: Run) -> None:
    cli = run("fit", "--config", masked, "--data.validation_fraction=0", "--trainer.max_epochs=1")
    assert (cli.run.folder / "export/model.safetensors").is_file()
    assert (cli.run.folder / "checkpoints/last.ckpt").is_file()


def test_a_checkpoint_never_overrides_what_the_user_says(masked: str, run: Run) -> None:
    run("fit", "--config", masked, "--trainer.max_epochs=1")
    args = ("--ckpt_path=last", "--model.learning_rate=0.5", "--model.weight_decay=0.3", "--model.backbone.dropout=0.4")
    cli = run("fit", "--config", masked, *args)
    assert (cli.model.learning_rate, cli.model.weight_decay) == (0.5, 0.3)
    assert cli.model.model.config.hidden_dropout_prob == 0.4
    assert cli.run.folder.name == "version_0"


def test_checkpoints_load_without_us_around(
    sentiment: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `.ckpt` carries its architecture, labels and tokenizer: everything else may be gone."""
    from pretune.modules import TextClassification

    cli = run("fit", "--config", sentiment, "--trainer.max_epochs=1")
    other = tmp_path / "elsewhere"
    other.mkdir()
    Path("runs/sentiment/version_0/checkpoints/best.ckpt").rename(other / "model.ckpt")
    monkeypatch.chdir(other)
    model = TextClassification.load_from_checkpoint("model.ckpt", weights_only=True)
    assert model.labels == ["negative", "positive"]
    assert model.tokenizer.get_vocab() == cli.model.tokenizer.get_vocab()
    inputs = model.tokenizer("a good film", return_tensors="pt")
    model.eval()
    cli.model.eval()
    assert torch.equal(model(**inputs).logits, cli.model(**inputs).logits)
    again = TextClassification("model.ckpt", labels=["negative", "positive"])
    again.build()
    again.eval()
    assert torch.equal(again(**inputs).logits, model(**inputs).logits)


# ---------------------------------------------------------------------- resuming

KILL = """
import os, sys
from lightning.pytorch import Callback
from pretune.cli import pretune_cli as cli

class Kill(Callback):
    def on_train_batch_start(self, trainer, *args):
        if trainer.fit_loop.epoch_loop.total_batch_idx == int(sys.argv[1]):
            os.kill(os.getpid(), 9)

usual = cli.PretuneCLI._callbacks
cli.PretuneCLI._callbacks = lambda self: [*usual(self), Kill()]
from pretune.main import main
main(sys.argv[2:])
"""
CLI = ("fit", "--config", "masked.yaml", "--trainer.val_check_interval=0.5", "--trainer.accumulate_grad_batches=2")
CLI += ("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--checkpoint.every_n_steps=3")


def weights(name: str) -> dict[str, torch.Tensor]:
    newest = sorted(Path("runs", name).glob("version_*"))[-1]
    state: dict[str, torch.Tensor] = torch.load(newest / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    return state


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_and_resumed_is_uninterrupted(workers: int, masked: str, run: Run) -> None:
    options = (*CLI, f"--data.num_workers={workers}")
    cli = run(*options, "--name=whole")
    per_epoch = cli.trainer.num_training_batches
    assert per_epoch > 20
    # Before any checkpoint, within an epoch, at its edge, after a validation, in the second epoch; twice in a row.
    half = per_epoch // 2
    for kills in (
        [(3,), (11,), (half + 1,), (per_epoch,), (9, per_epoch + 7)] if workers == 0 else [(11, per_epoch + 3)]
    ):
        name = "killed-" + "-".join(map(str, kills))
        for number, at in enumerate(kills):
            resume = ["--ckpt_path=last"] if number else []
            code = [sys.executable, "-c", KILL, str(at), *options, f"--name={name}", *resume]
            assert subprocess.run(code, capture_output=True, check=False).returncode == -signal.SIGKILL
        run(*options, f"--name={name}", "--ckpt_path=last")
        expected, found = weights("whole"), weights(name)
        assert all(torch.equal(value, found[key]) for key, value in expected.items()), kills


def test_a_half_written_checkpoint_is_skipped(masked: str, run: Run, caplog: pytest.LogCaptureFixture) -> None:
    run("fit", "--config", masked, "--trainer.max_epochs=1")
    last = Path("runs/masked/version_0/checkpoints/last.ckpt")
    last.with_name("older.ckpt").write_bytes(last.read_bytes())
    last.write_bytes(last.read_bytes()[:5000])
    with pytest.warns(UserWarning, match="half-written"):
        cli = run("fit", "--config", masked, "--ckpt_path=last")
    assert cli.run.checkpoint.name == "older.ckpt"


def test_a_failed_start_does_not_hide_the_run_before(masked: str, run: Run, fails: Fails) -> None:
    run("fit", "--config", masked, "--trainer.max_epochs=1")
    fails("fit", "--config", masked, "--data.train_files=gone.txt")
    fails("fit", "--config", masked, "--model.monitor=val/nothing")
    run("fit", "--config", masked, "--trainer.fast_dev_run=true")
    cli = run("fit", "--config", masked, "--ckpt_path=last")
    assert cli.run.folder.name == "version_0"
    assert cli.trainer.current_epoch == 2
    assert run("validate", "--config", masked, "--ckpt_path=runs/masked").run.folder.name == "version_0"


def test_overfitting_some_batches(masked: str, run: Run) -> None:
    cli = run(
        "fit", "--config", masked, "--trainer.overfit_batches=2", "--trainer.max_epochs=3", "--early_stopping=null"
    )
    assert cli.trainer.global_step == 6


# ---------------------------------------------------------------------- what the user gets wrong


def test_misspelled_keys_and_classes(sentiment: str, fails: Fails) -> None:
    assert "did you mean --model.learning_rate" in fails("fit", "--config", sentiment, "--model.learning_rat=1")
    assert "did you mean --data.text_column" in fails("fit", "--config", sentiment, "--data.txt_column=x")
    assert "did you mean --model.backbone.dropout" in fails("fit", "--config", sentiment, "--model.backbone.droput=0.1")
    assert "Probe has no option 'nam' (did you mean name?)" in fails(
        "fit", "--config", sentiment, "--trainer.callbacks+=Probe", "--trainer.callbacks.nam=x"
    )
    assert "fully_sharded" in fails("fit", "--config", sentiment, "--trainer.strategy=fuly_sharded")
    assert "early_stopping.patience" in fails("fit", "--config", sentiment, "--earlystopping.patience=1")
    assert "did you mean fit" in fails("fti", "--config", sentiment)
    assert "give --config FILE" in fails("fit")
    text = Path(sentiment).read_text()
    Path("bad.yaml").write_text(text.replace("max_epochs", "max_epoch"))
    assert "did you mean trainer.max_epochs" in fails("fit", "--config", "bad.yaml")
    Path("bad.yaml").write_text(text.replace("class_path: TextClassification\n", "class_path: TextClasification\n"))
    assert "did you mean TextClassification" in fails("fit", "--config", "bad.yaml")
    Path("bad.yaml").write_text("model: [")
    assert "not YAML" in fails("fit", "--config", "bad.yaml")
    assert "nothere.yaml" in fails("fit", "--config", "nothere.yaml")


def test_what_the_trainer_refuses(masked: str, fails: Fails) -> None:
    assert "fast_dev_run" in fails("fit", "--config", masked, "--trainer.fast_dev_run=-1")


def test_values_out_of_range(masked: str, sentiment: str, fails: Fails, run: Run) -> None:
    assert "batch_size is 0" in fails("fit", "--config", sentiment, "--data.batch_size=0")
    assert "max_length is -5" in fails("fit", "--config", sentiment, "--data.max_length=-5")
    assert "learning_rate is -1.0; it must be above 0" in fails(
        "fit", "--config", sentiment, "--model.learning_rate=-1"
    )
    assert "model.betas" in fails("fit", "--config", sentiment, "--model.betas=[0.9, 1.5]")
    assert "mask_probability is 2.0" in fails("fit", "--config", masked, "--model.mask_probability=2")
    assert "exclude each other" in fails("fit", "--config", sentiment, "--data.dataset=x")
    assert "predict_texts is empty" in fails(
        "predict", "--config", sentiment, "--model.backbone=runs/masked", "--data.predict_texts=[]"
    )
    message = fails("fit", "--config", masked, "--ckpt_path=runs/masked/version_0/checkpoints/best.ckpt")
    assert "holds weights only" in message


def test_values_of_another_kind(sentiment: str, fails: Fails) -> None:
    def said(*options: str) -> str:
        return fails("fit", "--config", sentiment, *options)

    message = said("--model.backbone.freeze=embedding")
    assert message == "error: model.backbone.freeze is 'embedding'; a whole number, embeddings, all or null would work."
    assert "model.optimizer is 'adam'; adamw, muon or sgd would work" in said("--model.optimizer=adam")
    assert "model.backbone.lora is 'True'; a mapping or null would work" in said("--model.backbone.lora=true")
    assert "model.class_weights is 'even'; balanced, a list or null" in said("--model.class_weights=even")
    assert "model.gradual_unfreezing is 'nan'; a number would work" in said("--model.gradual_unfreezing=nan")
    assert "trainer.max_epochs is 'many'; a whole number or null" in said("--trainer.max_epochs=many")
    assert "pace.min_steps is 'few'; a whole number would work" in said("--pace.min_steps=few")
    Path("bad.yaml").write_text("early_stopping: {patience: long}\nmodel: {init_args: {warmup: soon}}\n")
    assert "early_stopping.patience is 'long'; a whole number" in said("--config=bad.yaml", "--model.warmup=0")
    Path("bad.yaml").write_text("data: {init_args: {tokenizer: {train: wordpieces}}}\n")
    assert "data.tokenizer.train is 'wordpieces'; wordpiece, bpe" in said("--config=bad.yaml")


def test_switches_out_of_range(sentiment: str, fails: Fails) -> None:
    def said(*options: str) -> str:
        return fails("fit", "--config", sentiment, *options)

    assert "backbone.freeze is -1; `embeddings`, a number" in said("--model.backbone.freeze=-1")
    assert "backbone.freeze is 9, but the network has 2" in said("--model.backbone.freeze=9")
    assert "backbone.reinitialize_layers is -1" in said("--model.backbone.reinitialize_layers=-1")
    assert "backbone.dropout is 1.5" in said("--model.backbone.dropout=1.5")
    assert "backbone.adapter needs a peft_type" in said("--model.backbone.adapter={}")
    assert "model.r_drop is -1.0" in said("--model.r_drop=-1")
    assert "model.layer_decay is 0.0" in said("--model.layer_decay=0")
    assert "weights must not be below 0" in said("--model.class_weights=[-1, 2]")
    assert "early_stopping.patience is 0; it must be at least 1" in said("--early_stopping.patience=0")
    for option, value in (("epochs", 0), ("min_steps", -1), ("validate_every", 0)):
        assert f"pace.{option} is {value}; it must be at least" in said(
            f"--pace.{option}={value}", "--trainer.max_epochs=null"
        )
    message = said("--model.backbone.lora={target_modules: [nowhere]}")
    assert "backbone.lora: " in message
    assert "nowhere" in message


def test_unknown_backbones(sentiment: str, fails: Fails) -> None:
    assert "'nobody/nothing' cannot be loaded" in fails("fit", "--config", sentiment, "--model.backbone=nobody/nothing")
    assert "no file or folder ./gone" in fails("fit", "--config", sentiment, "--model.backbone=./gone")
    Path("empty").mkdir()
    assert "holds neither a model" in fails("fit", "--config", sentiment, "--model.backbone=empty")
    tokenizer = "--data.tokenizer=runs/masked"
    wrong = '{"config": {"model_type": "brt"}}'
    assert "did you mean" in fails("fit", "--config", sentiment, f"--model.backbone={wrong}", tokenizer)
    wrong = '{"config": {"model_type": "bert", "hiden_size": 3}}'
    assert "no field 'hiden_size' (did you mean hidden_size" in fails(
        "fit", "--config", sentiment, f"--model.backbone={wrong}", tokenizer
    )
    wrong = '{"config": {"model_type": "bert", "hidden_size": 33, "num_attention_heads": 2}}'
    assert "33" in fails("fit", "--config", sentiment, f"--model.backbone={wrong}", tokenizer)


def test_what_cannot_be_combined(masked: str, sentiment: str, fails: Fails, run: Run) -> None:
    wrong = '{"config": {"model_type": "llama", "hidden_size": 32}}'
    message = fails("fit", "--config", masked, f"--model.backbone={wrong}")
    assert "MaskedLanguageModeling needs an encoder, such as bert, roberta" in message
    assert "is a llama, a decoder, which CausalLanguageModeling trains" in message
    assert "data.max_length is 900" in fails("fit", "--config", sentiment, "--data.max_length=900")
    checkpoint = "--ckpt_path=runs/masked/version_0/checkpoints/last.ckpt"
    message = fails("fit", "--config", sentiment, checkpoint)
    assert "The checkpoint is of a MaskedLanguageModeling, the model is a TextClassification" in message
    assert "no such checkpoint" in fails("test", "--config", sentiment, "--ckpt_path=gone.ckpt")
    assert "--ckpt_path best" in fails(
        "test", "--config", sentiment, "--ckpt_path=best", "--data.test_files=reviews.csv"
    )
    assert "train first" in fails("predict", "--config", sentiment, "--data.predict_texts=hello")
    known = ("--model.labels=[a,b]", "--data.predict_texts=hello")
    assert "predictions would be chance" in fails("predict", "--config", sentiment, *known)
    predict = fails("predict", "--config", masked, "--data.predict_texts=[a film]", "--model=ReplacedTokenDetection")
    assert "ReplacedTokenDetection predicts nothing of its own" in predict
    assert "val/f2" in fails("fit", "--config", sentiment, "--model.monitor=val/f2")


def test_bad_files(sentiment: str, fails: Fails, tmp_path: Path) -> None:
    def failing(content: bytes, *options: str) -> str:
        (tmp_path / "bad.csv").write_bytes(content)
        return fails("fit", "--config", sentiment, "--data.train_files=bad.csv", *options)

    assert "did you mean reviews.csv" in fails("fit", "--config", sentiment, "--data.train_files=reviws.csv")
    assert "No file matches" in fails("fit", "--config", sentiment, "--data.train_files=*.tsv")
    assert "bad.csv is empty" in failing(b"")
    assert "there are: text, stars" in failing(b"text,stars\nx,1\n")
    assert "bad.csv:3: the text in column 'review' is empty" in failing(b"review,stars\nx,1\n,2\n")
    assert "bad.csv:3: there is no label" in failing(b"review,stars\nx,1\ny,\n")
    assert "bad.csv:2: byte 16 (0xE9) is not utf-8" in failing(b"review,stars\ncaf\xe9,1\n")
    assert "one class only" in failing(b"review,stars\nx,1\ny,1\n")


def test_run_folders_that_cannot_be_written(sentiment: str, fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").write_text("")
    assert "cannot be written" in fails("fit", "--config", sentiment, "--trainer.default_root_dir=file")

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pretune.cli.callbacks.checkpoints.torch.save", full)
    message = fails("fit", "--config", sentiment, "--trainer.max_epochs=1")
    assert "could not be written" in message
    assert "No space left" in message


def test_a_refused_run_leaves_the_users_folders(sentiment: str, fails: Fails) -> None:
    Path("mine").mkdir()
    Path("own/place").mkdir(parents=True)
    fails("test", "--config", sentiment, "--trainer.default_root_dir=mine")
    for folder in ("own/place", "new"):
        fails("fit", "--config", sentiment, f"--trainer.default_root_dir={folder}", "--data.train_files=nosuch.csv")
    assert Path("mine").is_dir()
    assert Path("own/place").is_dir()
    assert not Path("new").exists()


# ---------------------------------------------------------------------- starting


def test_a_terminal_without_its_letters_gets_codes(sentiment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pretune.main", "fit", "--config", sentiment, "--name", "名字", "--print_config"],
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert b"\\u540d" in done.stdout


@pytest.mark.parametrize(("verb", "option"), [("fit", "--early_stopping"), ("predict", "--predictions_file")])
def test_help_is_quick(verb: str, option: str) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "pretune.main", verb, "--help"], capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert option in done.stdout
    # Of the processor's seconds, not the clock's: those depend on what else the machine does. They are about 4.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 10


def test_every_verb_is_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    for args, code in ((["--help"], 0), (["-h"], 0), ([], 2)):
        with pytest.raises(SystemExit) as caught:
            command(args)
        assert caught.value.code == code
        printed = capsys.readouterr().out
        for verb in ("fit", "validate", "test", "predict", "tune", "suite", "compare", "estimate", "benchmark"):
            assert re.search(rf"^  {verb} ", printed, re.MULTILINE)


@pytest.mark.parametrize("verb", ["tune", "suite", "estimate", "benchmark", "compare"])
def test_help_of_a_verb_leaves_nothing_behind(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command([verb, "--help"])
    assert not caught.value.code
    assert "usage" in capsys.readouterr().out
    assert not Path("runs").exists()


def test_functions_that_are_not_there(masked: str, fails: Fails) -> None:
    message = fails("fit", "--config", masked, "--data.cleaning.filter=no.such_function")
    assert message.startswith(
        "error: data.cleaning.filter: there is no module 'no', for no.such_function: it would be found in the working"
    )


def test_a_trained_model_predicts_without_its_training_text(corpus: Path, run: Run) -> None:
    config = {"model_type": "gpt2", "n_embd": 32, "n_layer": 1, "n_head": 2}
    args = (
        "--model=CausalLanguageModeling", f"--model.backbone={json.dumps({'config': config})}",
        "--data=CorpusDataModule", f"--data.train_files={corpus}", "--data.block_size=16",
        "--data.tokenizer={train: bytelevel, vocab_size: 300}", "--name=lm", "--trainer.max_steps=2",
    )  # fmt: skip
    run("fit", *args)
    corpus.unlink()
    cli = run("predict", *args, "--data.predict_texts=[the film, '']")
    rows = [json.loads(line) for line in (cli.run.folder / "predictions.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == ["the film", ""]
