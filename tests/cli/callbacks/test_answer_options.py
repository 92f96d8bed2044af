"""`predict --top_k` and `--threshold`: what they write, what they say, and where they mean nothing."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pretune.cli.commands.compare import compare
from pretune.cli.commands.prediction_tables import read_predictions
from pretune.contracts import AnswerOptions
from pretune.modules import TextClassification

Run = Callable[..., Any]


@pytest.fixture
def args(encoder: Path, reviews: Path) -> list[str]:
    return [
        "--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule",
        "--data.text_column=review", "--data.label_column=stars", f"--data.train_files={reviews}", "--name=a",
        "--trainer.max_steps=3", "--model.learning_rate=3e-3", f"--data.predict_files={reviews}",
    ]  # fmt: skip


def rows_of(cli: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in cli.predictions.read_text().splitlines()]


def summary_of(cli: Any) -> Any:
    return json.loads((cli.run.folder / "summary.json").read_text())


def test_the_likeliest_labels(args: list[str], run: Run) -> None:
    run("fit", *args)
    whole = rows_of(run("predict", *args))
    cli = run("predict", *args, "--top_k=1")
    for row, other in zip(rows_of(cli), whole, strict=True):
        chances = other.pop("probabilities")
        assert row.pop("top_k") == [{"label": other["prediction"], "probability": max(chances.values())}]
        assert row == other
    table = run("predict", *args, "--top_k=5", "--predictions=csv").predictions
    with table.open(newline="") as file:
        lines = list(csv.reader(file))
    chosen = [f"top_{place}.{name}" for place in (1, 2) for name in ("label", "probability")]
    assert lines[0] == ["review", "stars", "prediction", *chosen, "correct"]
    found = read_predictions(table)
    assert [float(row["top_k"][1]["probability"]) for row in found] == pytest.approx(
        [1 - float(row["top_k"][0]["probability"]) for row in found], abs=1e-5
    )
    assert [row["top_k"][0]["label"] for row in found] == [row["prediction"] for row in whole]
    run_folder = str(cli.run.folder)
    assert compare(run_folder, run_folder, label="stars", resamples=20)["scores"]


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_an_answer_that_is_not_sure_is_withheld(
    kind: str, args: list[str], run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    run("fit", *args)
    whole = rows_of(run("predict", *args))
    chances = sorted(max(row["probabilities"].values()) for row in whole)
    first = max(whole[0]["probabilities"].values())
    for threshold in (chances[40], first + 1e-9):  # the first row is withheld, too, before a table knows its columns
        caplog.clear()
        cli = run("predict", *args, f"--threshold={threshold}", f"--predictions={kind}")
        with cli.predictions.open(newline="") as file:
            rows = list(csv.DictReader(file)) if kind == "csv" else rows_of(cli)
        none, yes, no = ("", "True", "False") if kind == "csv" else (None, True, False)
        answered = [max(row["probabilities"].values()) >= threshold for row in whole]
        assert [row["abstained"] for row in rows] == [no if sure else yes for sure in answered]
        assert [row["prediction"] for row in rows] == [
            row["prediction"] if sure else none for row, sure in zip(whole, answered, strict=True)
        ]
        assert [row["correct"] for row in rows] == [
            (str(row["correct"]) if kind == "csv" else row["correct"]) if sure else none
            for row, sure in zip(whole, answered, strict=True)
        ]
        facts = summary_of(cli)["predictions"][cli.predictions.name]
        right = [row["correct"] for row, sure in zip(whole, answered, strict=True) if sure]
        assert facts == {
            "rows": 80, "threshold": threshold, "abstained": 80 - sum(answered), "coverage": sum(answered) / 80,
            **({"accuracy": sum(right) / len(right), "judged": len(right)} if right else {}),
        }  # fmt: skip
        assert f"Without an answer: {80 - sum(answered)} of 80 rows" in caplog.text
    assert set(summary_of(cli)["predictions"]) >= {"predictions.jsonl", cli.predictions.name}
    assert [row["prediction"] for row in read_predictions(cli.predictions)].count("") == 80 - sum(answered)


def test_a_summary_of_what_was_cut_off_counts_all(args: list[str], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    args = [*args, "--data.batch_size=1", "--threshold=0.5", "--trainer.precision=32-true"]
    run("fit", *args)
    whole = run("predict", *args)
    step = TextClassification.predict_step
    calls = iter(range(1000))

    def dies(self: Any, batch: Any, *more: Any) -> Any:
        if next(calls) == 40:
            raise RuntimeError("cut off")
        return step(self, batch, *more)

    with monkeypatch.context() as patch:
        patch.setattr(TextClassification, "predict_step", dies)
        with pytest.raises(RuntimeError, match="cut off"):
            run("predict", *args)
    cut = run("predict", *args)
    assert cut.predictions.name == "predictions-2.jsonl"
    assert cut.predictions.read_bytes() == whole.predictions.read_bytes()
    one, other = summary_of(cut)["predictions"].values()
    assert one == other
    assert one["judged"] == 80


def test_several_labels_and_choices(encoder: Path, run: Run) -> None:
    Path("many.csv").write_text(
        "text,labels\n" + "".join(f"{'good' if i % 2 else 'bad'} film,{'a,b' if i % 2 else 'b'!r}\n".replace("'", '"')
                                  for i in range(40))
    )  # fmt: skip
    args = ["--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule",
            "--data.train_files=many.csv", "--data.label_separator=,", "--data.predict_files=many.csv",
            "--name=many", "--trainer.max_steps=2"]  # fmt: skip
    run("fit", *args)
    whole = rows_of(run("predict", *args))
    middle = sorted(row["probabilities"]["a"] for row in whole)[20]
    for row, other in zip(rows_of(run("predict", *args, f"--threshold={middle}", "--top_k=1")), whole, strict=True):
        chances = other["probabilities"]
        assert row["prediction"] == [name for name, chance in chances.items() if chance >= middle]
        assert row["top_k"][0]["probability"] == max(chances.values())
        assert "abstained" not in row
    rows = [{"context": "the film", "endings": ["good", "bad", "old"][: 2 + i % 2], "label": i % 2} for i in range(40)]
    Path("choices.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    args = ["--model=MultipleChoice", f"--model.backbone={encoder}", "--data=MultipleChoiceDataModule",
            "--data.train_files=choices.jsonl", "--data.predict_files=choices.jsonl", "--data.context_column=context",
            "--data.endings_column=endings", "--name=choices", "--trainer.max_steps=2"]  # fmt: skip
    run("fit", *args)
    whole = rows_of(run("predict", *args))
    assert [row["correct"] for row in whole] == [row["prediction"] == row["label"] for row in whole]
    cli = run("predict", *args, "--top_k=3", "--threshold=0.4", "--predictions=csv")
    for row, other in zip(read_predictions(cli.predictions), whole, strict=True):
        places = sorted(range(len(other["probabilities"])), key=lambda i: -other["probabilities"][i])
        assert [int(choice["label"]) for choice in row["top_k"] if choice["label"] != ""] == places
        assert (row["prediction"] == "") is (max(other["probabilities"]) < 0.4)


def test_answers_and_masks(encoder: Path, run: Run) -> None:
    rows = [
        {"id": str(i), "question": "what ends", "context": f"the old film ends {i}",
         "answers": {"text": ["film"], "answer_start": [8]}}
        for i in range(20)
    ]  # fmt: skip
    Path("qa.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    args = ["--model=QuestionAnswering", f"--model.backbone={encoder}", "--data=QuestionAnsweringDataModule",
            "--data.train_files=qa.jsonl", "--data.predict_files=qa.jsonl", "--name=qa", "--data.max_length=32",
            "--data.stride=4", "--trainer.max_steps=2"]  # fmt: skip
    run("fit", *args)
    whole = rows_of(run("predict", *args))
    middle = sorted(row["no_answer_odds"] for row in whole)[10]
    cli = run("predict", *args, f"--threshold={middle}", "--top_k=2")
    for row, other in zip(rows_of(cli), whole, strict=True):
        assert row["abstained"] is (other["no_answer_odds"] > middle)
        assert (row["prediction"] == "") is row["abstained"]
        assert row["n_best"] == other["n_best"][:2]
    assert summary_of(cli)["predictions"][cli.predictions.name]["abstained"] == sum(
        r["abstained"] for r in rows_of(cli)
    )
    masked = ["--model=MaskedLanguageModeling", f"--model.backbone={encoder}", "--data=CorpusDataModule",
              "--data.block_size=32", "--data.predict_texts=['the [MASK] ends']", "--untrained=true"]  # fmt: skip
    assert [len(mask) for row in rows_of(run("predict", *masked, "--top_k=7")) for mask in row["masks"]] == [7]
    assert [len(mask) for row in rows_of(run("predict", *masked)) for mask in row["masks"]] == [5]


def test_each_text_to_be_filled_is_answered(encoder: Path, run: Run, recwarn: pytest.WarningsRecorder) -> None:
    """With its columns, where it is empty, has no mask, or is longer than the model."""
    masked = ["--model=MaskedLanguageModeling", f"--model.backbone={encoder}", "--data=CorpusDataModule",
              "--data.block_size=32", "--untrained=true"]  # fmt: skip
    long = "the film ends " * 200 + "the [MASK]"
    Path("masked.csv").write_text(f"n,text\n1,\n2,the [MASK] ends\n3,the film\n4,{long}\n")
    rows = rows_of(run("predict", *masked, "--data.predict_files=masked.csv"))
    assert [(row["n"], len(row["masks"])) for row in rows] == [("1", 0), ("2", 1), ("3", 0), ("4", 1)]
    assert [row["text"] for row in rows] == ["", "the [MASK] ends", "the film", long]
    told = [str(warning.message) for warning in recwarn if "[MASK]" in str(warning.message)]
    assert told == [
        "2 of 4 texts to predict have no [MASK], and nothing is filled in there: their lists of `masks` are empty."
    ]


def test_where_they_mean_nothing(args: list[str], encoder: Path, run: Run, fails: Callable[..., str]) -> None:
    run("fit", *args)
    predict = ["predict", *args, "--trainer.accelerator=cpu"]
    assert "--threshold is 2.0; it must be" in fails(*predict, "--threshold=2")
    assert "--top_k is 0" in fails(*predict, "--top_k=0")
    assert "give one of them" in fails(*predict, "--top_k=1", "--predictions_top=1")
    Path("numbers.csv").write_text("text,score\n" + "".join(f"film {i},{i / 7}\n" for i in range(40)))
    numbers = ["--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule",
               "--data.train_files=numbers.csv", "--data.problem=regression", "--name=numbers"]  # fmt: skip
    run("fit", *numbers, "--trainer.max_steps=1")
    numbers += ["--data.predict_files=numbers.csv", "--trainer.accelerator=cpu"]
    said = fails("predict", *numbers, "--threshold=0.5")
    assert "--threshold means nothing for TextClassification (regression)" in said
    assert "--top_k means nothing" in fails("predict", *numbers, "--top_k=2")
    masked = ["predict", "--model=MaskedLanguageModeling", f"--model.backbone={encoder}", "--data=CorpusDataModule",
              "--data.block_size=32", "--data.predict_texts=['the [MASK] ends']", "--untrained=true",
              "--trainer.accelerator=cpu"]  # fmt: skip
    assert "leave it out; it takes --top_k" in fails(*masked, "--threshold=0.5")
    assert not list(Path("runs").rglob("predictions*"))


def test_answers_on_the_terminal(args: list[str], run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("fit", *args)
    args = [arg for arg in args if "predict_files" not in arg]
    run("predict", *args, "--data.predict_texts=[a good film]", "--top_k=1", "--threshold=0.9999")
    shown = capsys.readouterr().out
    assert "a good film\n  -> no answer (" in shown
    assert shown.count("0.") == 1


def test_without_the_command_line() -> None:
    options = AnswerOptions(top_k=2, threshold=0.6)
    assert options.labeled("a", ["a", "b", "c"], [0.5, 0.1, 0.4]) == {
        "prediction": None, "abstained": True,
        "top_k": [{"label": "a", "probability": 0.5}, {"label": "c", "probability": 0.4}],
    }  # fmt: skip
    assert AnswerOptions(threshold=0.5).labeled("a", ["a", "b"], [0.5, 0.5])["prediction"] == "a"
