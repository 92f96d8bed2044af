"""Calibrated runs: what is trained and decided stays, probabilities change, and everybody has the same ones."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from tests_support import sentence  # type: ignore[import-not-found]

from pretune.checkpoints import read_checkpoint
from pretune.datamodules import TextClassificationDataModule, TokenClassificationDataModule
from pretune.modules import TextClassification
from pretune.modules.calibration.temperature import Calibration, likelihood

Run = Callable[..., Any]


def write_rows(path: str, rows: int, seed: int) -> None:
    """Write reviews of which a word tells the label, four times of five."""
    draw = random.Random(seed)
    with Path(path).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["review", "stars", "both"])
        for i in range(rows):
            good = i % 2 if draw.random() < 0.8 else 1 - i % 2
            names = [name for name, yes in (("long", draw.random() < 0.5), ("good", good)) if yes]
            text = f"{sentence(draw.randrange(10**6), 5)} {'good' if i % 2 else 'bad'} {i + seed}"
            writer.writerow([text, "positive" if good else "negative", ",".join(names)])


@pytest.fixture
def args(encoder: Path) -> list[str]:
    for name, rows, seed in (("train", 160, 1000), ("validation", 100, 2000), ("test", 60, 3000)):
        write_rows(f"{name}.csv", rows, seed)
    files = [f"--data.{split}_files={split}.csv" for split in ("train", "validation", "test")]
    return [
        "--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule", *files,
        "--data.text_column=review", "--data.label_column=stars", "--trainer.max_epochs=6",
        "--model.learning_rate=5e-3", "--data.batch_size=16", "--trainer.precision=32-true",
        "--early_stopping=null", "--trainer.val_check_interval=1.0",
    ]  # fmt: skip


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def summary_of(cli: Any) -> Any:
    return json.loads((cli.run.folder / "summary.json").read_text())


def test_a_run_is_the_same_but_for_its_probabilities(args: list[str], run: Run) -> None:
    plain = run("fit", *args, "--name=plain")
    with torch.random.fork_rng():
        warm = run("fit", *args, "--name=warm", "--model.calibrate=temperature")
    found = summary_of(warm)["calibration"]
    assert found["temperature"] != pytest.approx(1, abs=0.01)
    assert found["nll_after"] < found["nll_before"]
    assert found["targets"] == 100
    assert {k: v for k, v in summary_of(warm)["fit"].items() if k != "seconds"} == {
        k: v for k, v in summary_of(plain)["fit"].items() if k != "seconds"
    }
    (one, other) = (read_checkpoint(cli.run.folder / "checkpoints" / "best.ckpt") for cli in (plain, warm))
    assert all(torch.equal(weight, other["state_dict"][name]) for name, weight in one["state_dict"].items())
    assert (one["pretune"]["temperature"], other["pretune"]["temperature"]) == (1.0, found["temperature"])
    histories = [list(csv.DictReader((cli.run.folder / "metrics.csv").open())) for cli in (plain, warm)]
    assert [row["val/loss"] for row in histories[0]] == [row["val/loss"] for row in histories[1]]

    scores = [summary_of(run("test", *args, f"--name={name}"))["test"] for name in ("plain", "warm")]
    assert scores[0]["test/accuracy"] == scores[1]["test/accuracy"]
    assert scores[0]["test/loss"] != pytest.approx(scores[1]["test/loss"], abs=1e-4)
    paths = [
        run("predict", *args, f"--name={n}", "--data.predict_files=test.csv").predictions for n in ("plain", "warm")
    ]
    (raw, tempered) = map(rows_of, paths)
    assert [row["prediction"] for row in raw] == [row["prediction"] for row in tempered]
    names = list(raw[0]["probabilities"])
    logits = torch.tensor([[row["probabilities"][name] for name in names] for row in raw]).double().log()
    expected = (logits / found["temperature"]).softmax(-1)
    for row, chances in zip(tempered, expected.tolist(), strict=True):
        assert list(row["probabilities"].values()) == pytest.approx(chances, abs=1e-5)
    right = torch.tensor([names.index(row["stars"]) for row in raw])
    assert scores[1]["test/loss"] == pytest.approx(likelihood(logits / found["temperature"], right), abs=1e-5)


def test_an_export_has_it_for_everybody(args: list[str], run: Run) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    cli = run("fit", *args, "--name=warm", "--model.calibrate=temperature")
    rows = rows_of(run("predict", *args, "--name=warm", "--data.predict_files=test.csv").predictions)
    export = cli.run.folder / "export"
    model = AutoModelForSequenceClassification.from_pretrained(export)
    inputs = AutoTokenizer.from_pretrained(export)([row["review"] for row in rows], return_tensors="pt", padding=True)
    with torch.no_grad():
        chances = model(**inputs).logits.softmax(-1)
    for row, expected in zip(rows, chances.tolist(), strict=True):
        assert list(row["probabilities"].values()) == pytest.approx(expected, abs=1e-5)
    found = summary_of(cli)["calibration"]
    assert json.loads((export / "config.json").read_text())["pretune_calibration"] == found
    assert f"temperature {found['temperature']:.3f}" in (export / "README.md").read_text()
    again = [*args, f"--model.backbone={export}", "--name=again"]
    other = rows_of(run("predict", *again, "--data.predict_files=test.csv").predictions)
    assert [r["probabilities"]["positive"] for r in other] == pytest.approx(
        [r["probabilities"]["positive"] for r in rows], abs=1e-5
    )
    best = [*args, f"--model.backbone={cli.run.folder / 'checkpoints' / 'best.ckpt'}", "--name=best"]
    other = rows_of(run("predict", *best, "--data.predict_files=test.csv").predictions)
    assert [r["probabilities"]["positive"] for r in other] == pytest.approx(
        [r["probabilities"]["positive"] for r in rows], abs=1e-5
    )
    more = run("fit", *again, "--trainer.max_steps=1")  # what is trained further is not calibrated any more
    assert "pretune_calibration" not in json.loads((more.run.folder / "export" / "config.json").read_text())
    module = TextClassification.load_from_checkpoint(cli.run.folder / "checkpoints" / "best.ckpt")
    module.save_pretrained("mine")
    assert json.loads(Path("mine/config.json").read_text())["pretune_calibration"] == {
        "temperature": found["temperature"]
    }
    for name, weight in AutoModelForSequenceClassification.from_pretrained("mine").state_dict().items():
        assert torch.equal(weight, model.state_dict()[name])


def test_a_run_that_goes_on_comes_to_the_same(args: list[str], run: Run) -> None:
    warm = [*args, "--model.calibrate=temperature", "--model.schedule=constant", "--model.warmup=0"]
    whole = run("fit", *warm, "--name=whole")
    first = run("fit", *warm, "--name=cut", "--trainer.max_epochs=4")
    assert read_checkpoint(first.run.folder / "checkpoints" / "best.ckpt")["pretune"]["temperature"] != 1
    cut = run("fit", *warm, "--name=cut", "--ckpt_path=last")
    assert summary_of(cut)["calibration"] == summary_of(whole)["calibration"] != {"temperature": 1.0}
    export = [cli.run.folder / "export" / "model.safetensors" for cli in (whole, cut)]
    assert export[0].read_bytes() == export[1].read_bytes()
    run("fit", *warm, "--name=cut", "--ckpt_path=last")  # nothing is left to train
    assert summary_of(cut)["calibration"] == summary_of(whole)["calibration"]
    assert export[0].read_bytes() == export[1].read_bytes()


def test_several_labels_keep_their_thresholds(args: list[str], run: Run) -> None:
    several = [
        *args,
        "--data.label_column=both",
        "--data.label_separator=,",
        "--trainer.max_epochs=10",
        "--model.monitor=val/loss",
    ]
    run("fit", *several, "--name=plain")
    cli = run("fit", *several, "--name=warm", "--model.calibrate=temperature")
    found = summary_of(cli)["calibration"]
    assert found["nll_after"] < found["nll_before"]
    scores = [summary_of(run("test", *several, f"--name={name}"))["test"] for name in ("plain", "warm")]
    assert scores[0]["test/f1_tuned"] == scores[1]["test/f1_tuned"]
    assert scores[0]["test/accuracy"] == scores[1]["test/accuracy"]
    raw, tempered = (
        rows_of(run("predict", *several, f"--name={name}", "--data.predict_files=test.csv").predictions)
        for name in ("plain", "warm")
    )
    assert [row["prediction"] for row in raw] == [row["prediction"] for row in tempered]
    assert [row["probabilities"] for row in raw] != [row["probabilities"] for row in tempered]


def test_tags_and_choices(encoder: Path, run: Run) -> None:
    draw = random.Random(0)
    tags, choices = [], []
    for i in range(160):
        words = sentence(i, 4).removesuffix(".").split()
        tags.append({"tokens": words, "tags": ["N" if len(w) > 3 and draw.random() < 0.8 else "X" for w in words]})
        label = draw.randrange(3)
        words = ["good" if (j == label) is (draw.random() < 0.9) else "bad" for j in range(2 + (i % 2))]
        endings = [f"the {word} film {i}" for word in words]
        choices.append({"context": sentence(i, 4), "endings": endings, "label": min(label, len(endings) - 1)})
    for name, rows in (("tags", tags), ("choices", choices)):
        Path(f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    for task, data, file in (
        ("TokenClassification", "TokenClassificationDataModule", "tags"),
        ("MultipleChoice", "MultipleChoiceDataModule", "choices"),
    ):
        args = [f"--model={task}", f"--model.backbone={encoder}", f"--data={data}", f"--data.train_files={file}.jsonl",
                "--data.validation_fraction=0.4", "--model.learning_rate=5e-3", "--trainer.max_epochs=4",
                "--data.batch_size=8", "--model.monitor=val/loss"]  # fmt: skip
        if task == "MultipleChoice":
            args += ["--data.context_column=context", "--data.endings_column=endings"]
        cli = run("fit", *args, f"--name={file}", "--model.calibrate=temperature")
        found = summary_of(cli)["calibration"]
        assert found["nll_after"] <= found["nll_before"]
        raw = type(cli.model).load_from_checkpoint(cli.run.folder / "checkpoints" / "best.ckpt")
        assert raw.temperature == found["temperature"] != 1


def test_without_the_command_line(args: list[str], encoder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = TextClassificationDataModule(
        "train.csv", "review", label_column="stars", validation_files="validation.csv", batch_size=16
    )
    module = TextClassification(str(encoder), calibrate="temperature", learning_rate=5e-3)
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = Trainer(max_epochs=6, enable_checkpointing=False, **quiet)
    trainer.fit(module, data)
    assert module.calibration is not None
    assert module.temperature == module.calibration.temperature != 1
    trainer.fit_loop.max_epochs = 7
    monkeypatch.setattr(Calibration, "worsened", lambda self: f"worse by {self.targets} targets")
    with pytest.warns(UserWarning, match="worse by 100 targets"):
        trainer.fit(module, data)
    assert module.calibration.targets == 100


def test_what_cannot_be_calibrated_is_told_first(args: list[str], run: Run, fails: Callable[..., str]) -> None:
    warm = ["fit", *args, "--model.calibrate=temperature", "--trainer.accelerator=cpu"]
    assert "holds the rows that are trained on" in fails(*warm, "--data.validation_files=train.csv")
    assert "holds the rows that are trained on" in fails(*warm, "--trainer.overfit_batches=1")
    write_rows("few.csv", 30, 5000)
    assert "which has 30 rows: at least 50" in fails(*warm, "--data.validation_files=few.csv")
    alone = [arg for arg in warm if "validation_files" not in arg]
    assert "there is none" in fails(*alone, "--data.validation_fraction=0", "--trainer.limit_val_batches=0")
    assert "temperature or null would work" in fails(*warm[:-2], "--model.calibrate=platt")
    with Path("numbers.csv").open("w") as file:
        file.write("review,stars\n" + "".join(f"film {i},{i / 7}\n" for i in range(60)))
    numbers = ["--data.train_files=numbers.csv", "--data.validation_files=null"]
    assert "this is regression" in fails(*warm, *numbers, "--data.problem=regression")
    assert not list(Path("runs").rglob("best.ckpt"))


def test_all_right_is_not_calibrated(encoder: Path, run: Run) -> None:
    rows = "\n".join(f"{'good' if i % 2 else 'bad'} film {i},{'b' if i % 2 else 'a'}" for i in range(200))
    Path("easy.csv").write_text(f"text,label\n{rows}\n")
    data = ["--data=TextClassificationDataModule", "--data.train_files=easy.csv", "--data.validation_fraction=0.3"]
    args = ["--model=TextClassification", f"--model.backbone={encoder}", *data, "--model.learning_rate=3e-3"]
    with pytest.warns(UserWarning, match="not calibrated"):
        cli = run("fit", *args, "--model.calibrate=temperature", "--trainer.max_epochs=12")
    assert summary_of(cli)["calibration"] == {"temperature": 1.0}


def test_what_learned_nothing_is_not_calibrated(args: list[str], run: Run) -> None:
    slow = ("--trainer.max_epochs=1", "--model.learning_rate=1e-12")
    with pytest.warns(UserWarning, match="not calibrated on validation: nothing was learned"):
        cli = run("fit", *args, "--model.calibrate=temperature", *slow)
    assert summary_of(cli)["calibration"] == {"temperature": 1.0}
    assert "nothing_learned" in summary_of(cli)["fit"]


def test_few_rows_are_refused_before_weights_are_loaded(
    args: list[str], fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TextClassification, "configure_model", lambda self: pytest.fail("too late"))
    write_rows("few.csv", 30, 5000)
    warm = ["fit", *args, "--model.calibrate=temperature", "--trainer.accelerator=cpu"]
    assert "which has 30 rows: at least 50" in fails(*warm, "--data.validation_files=few.csv")
    assert "holds the rows that are trained on" in fails(*warm, "--data.validation_files=train.csv")


def test_rows_that_two_splits_share(args: list[str], encoder: Path) -> None:
    for other, expected in (("train.csv", True), ("validation.csv", False)):
        data = TextClassificationDataModule(
            "train.csv", "review", label_column="stars", validation_files=other, tokenizer=str(encoder)
        )
        data.prepare_data()
        data.setup("fit")
        assert data.are_same("train", "validation") is expected
    assert TokenClassificationDataModule("train.csv").are_same("train", "validation") is False
