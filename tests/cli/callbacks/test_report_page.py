"""What `fit` and `test` leave for a report, with real runs of every kind."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NAMES, PLACES = ["Ada", "Bob", "Cleo"], ["Paris", "Rome"]


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "test_predictions.jsonl").read_text(encoding="utf-8").splitlines()]


def test_classification(reviews: Path, mine: Path, run: Callable[..., Any]) -> None:
    args = ["--config", mine, f"--data.test_files={reviews}", "--trainer.max_epochs=2", "--data.batch_size=16"]
    cli = run("fit", *args)
    folder = cli.run.folder
    assert "trainer.max_epochs (2) reached." in (folder / "report.html").read_text(encoding="utf-8")
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["setting"]["versions"]["torch"]
    assert summary["data"]["train"]["rows"] == 72
    assert sum(summary["data"]["train"]["labels"].values()) == 72
    assert not (folder / "test_predictions.jsonl").exists()
    tested = run("test", *args)
    rows = sorted(rows_of(folder), key=lambda row: row["row"])
    given = list(csv.DictReader(reviews.read_text().splitlines()))
    assert [(row["text"], row["label"]) for row in rows] == [(row["review"], row["stars"]) for row in given]
    assert rows[3]["where"].endswith("reviews.csv:5")
    right = [row["prediction"] == row["label"] for row in rows]
    assert sum(right) / len(right) == pytest.approx(float(tested.trainer.callback_metrics["test/accuracy"]))
    run("predict", *args, f"--data.predict_files={reviews}")
    predicted = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert [row["prediction"] for row in predicted] == [row["prediction"] for row in rows]
    assert "Which label is taken for which" in (folder / "report.html").read_text(encoding="utf-8")
    run("fit", *args, "--ckpt_path=last", "--trainer.max_epochs=3")  # other weights, whose rows these are not
    assert not (folder / "test_predictions.jsonl").exists()


def test_entities_in_windows(encoder: Path, run: Callable[..., Any]) -> None:
    data = []
    for i in range(40):
        tokens, tags = [NAMES[i % 3], "is", "in", PLACES[i % 2]], ["B-PER", "O", "O", "B-LOC"]
        data.append({"tokens": tokens * (1 + i % 4), "ner_tags": tags * (1 + i % 4)})
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, data)))
    args = ["--model=TokenClassification", f"--model.backbone={encoder}", "--data=TokenClassificationDataModule"]
    args += ["--data.train_files=rows.jsonl", "--data.test_files=rows.jsonl", "--data.max_length=12", "--name=ner"]
    cli = run("fit", *args, "--trainer.max_epochs=4", "--model.learning_rate=0.01")
    tested = run("test", *args)
    folder = cli.run.folder
    rows = sorted(rows_of(folder), key=lambda row: row["row"])
    assert [row["tags"] for row in rows] == [row["ner_tags"] for row in data]
    assert [len(row["prediction"]) for row in rows] == [len(row["tokens"]) for row in data]
    run("predict", *args, "--data.predict_files=rows.jsonl")
    predicted = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    assert [row["prediction"] for row in predicted] == [row["prediction"] for row in rows]
    from pretune.cli.reporting.tested import Tested

    (f1, *_) = Tested(rows).measures
    assert f1.value() == pytest.approx(float(tested.trainer.callback_metrics["test/f1"]), abs=1e-6)
    assert "found rightly" in (folder / "report.html").read_text(encoding="utf-8")


def test_answers_in_windows(encoder: Path, run: Callable[..., Any]) -> None:
    data = []
    for i in range(30):
        context = f"{'the old film ' * (i % 5)}{NAMES[i % 3]} is in {PLACES[i % 2]}{' a new song' * (i % 3)}"
        answers = {"text": [PLACES[i % 2]], "answer_start": [context.index(PLACES[i % 2])]}
        data.append({"id": str(i), "question": "where is she", "context": context, "answers": answers})
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, data)))
    args = ["--model=QuestionAnswering", f"--model.backbone={encoder}", "--data=QuestionAnsweringDataModule"]
    args += ["--data.train_files=rows.jsonl", "--data.test_files=rows.jsonl", "--name=qa", "--data.max_length=32"]
    args += ["--data.stride=4", "--data.max_question_length=12"]
    cli = run("fit", *args, "--trainer.max_epochs=2", "--data.validation_fraction=0.2")
    tested = run("test", *args)
    rows = sorted(rows_of(cli.run.folder), key=lambda row: row["row"])
    assert [row["answers"] for row in rows] == [row["answers"]["text"] for row in data]
    from pretune.cli.reporting.tested import Tested

    found = {measure.name: measure.value() for measure in Tested(rows).measures}
    for name in ("exact_match", "f1"):
        assert found[name] == pytest.approx(float(tested.trainer.callback_metrics[f"test/{name}"]), abs=1e-4)
    assert "context" in (cli.run.folder / "report.html").read_text(encoding="utf-8")


def test_choices(encoder: Path, run: Callable[..., Any]) -> None:
    data = [
        {"context": "the old film", "endings": ["is good.", "is bad.", "ends."][: 2 + i % 2], "label": i % 2}
        for i in range(24)
    ]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, data)))
    args = ["--model=MultipleChoice", f"--model.backbone={encoder}", "--data=MultipleChoiceDataModule"]
    args += ["--data.train_files=rows.jsonl", "--data.test_files=rows.jsonl", "--name=choice"]
    cli = run("fit", *args, "--trainer.max_epochs=1")
    tested = run("test", *args)
    rows = sorted(rows_of(cli.run.folder), key=lambda row: row["row"])
    assert [len(row["probabilities"]) for row in rows] == [len(row["endings"]) for row in data]
    right = [row["prediction"] == row["label"] for row in rows]
    assert sum(right) / len(right) == pytest.approx(float(tested.trainer.callback_metrics["test/accuracy"]))


def test_a_page_that_cannot_be_written_costs_no_training(
    mine: Path, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    from pretune.cli import reporting

    def broken(self: Any) -> None:
        raise RuntimeError("no page today")

    monkeypatch.setattr(reporting.Run, "report", broken)
    cli = run("fit", "--config", mine, "--trainer.max_steps=2")
    assert (cli.run.folder / "export").is_dir()
    assert not (cli.run.folder / "report.html").exists()
    assert any("no page today" in str(warning.message) for warning in recwarn)


@pytest.mark.parametrize("objective", ["causal", "masked"])
def test_language_models_tell_of_tokens_and_samples(
    objective: str, corpus: Path, encoder: Path, tokenizer_folder: Path, run: Callable[..., Any]
) -> None:
    gpt2 = "{config: {model_type: gpt2, n_embd: 16, n_layer: 1, n_head: 2, n_positions: 32}}"
    Path("causal.yaml").write_text(
        f"model: {{class_path: CausalLanguageModeling, init_args: {{backbone: {gpt2}, prompts: [the film, a], "
        f"generation: {{max_new_tokens: 3}}}}}}\ndata: {{class_path: CorpusDataModule, init_args: {{tokenizer: "
        f"{tokenizer_folder}}}}}\n"
    )
    Path("masked.yaml").write_text(
        f"model: {{class_path: MaskedLanguageModeling, init_args: {{backbone: {encoder}}}}}\n"
        "data: {class_path: CorpusDataModule}\n"
    )
    args = [f"--config={objective}.yaml", "--data.block_size=16", "--name=lm", f"--data.test_files={corpus}"]
    cli = run("fit", *args, f"--data.train_files={corpus}", "--trainer.max_epochs=2", "--early_stopping=null")
    folder = cli.run.folder
    summary = json.loads((folder / "summary.json").read_text())
    entry = summary["token_losses"]
    assert (entry["stage"], entry["step"]) == ("validation", summary["fit"]["kept"]["step"])
    for groups in (entry["by_frequency"], entry["by_position"]):
        assert sum(group["targets"] for group in groups) == entry["targets"]
        mean = sum(group["loss"] * group["targets"] for group in groups) / entry["targets"]
        assert mean == pytest.approx(summary["fit"]["kept"]["val/loss"], rel=2e-3)
    if objective == "causal":
        steps = [sample["step"] for sample in summary["samples"]]
        assert steps == sorted(steps)
        assert [sample["prompt"] for sample in summary["samples"]][:2] == ["the film", "a"]
        run("fit", *args, f"--data.train_files={corpus}", "--ckpt_path=last", "--trainer.max_epochs=3")
        more = json.loads((folder / "summary.json").read_text())["samples"]
        assert more[: len(steps)] == summary["samples"]
        assert len(more) == len(steps) + 2
    run("test", *args)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["token_losses"]["stage"] == "test"
    assert summary["token_losses"]["step"] == summary["test"]["scored"]["step"]
    assert "Loss by position" in (folder / "report.html").read_text(encoding="utf-8")
