"""Files of predictions: what they say, and that they can be read back."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pretune.cli.commands.compare import compare
from pretune.cli.commands.prediction_tables import read_predictions


def test_names_beside_numbers_and_tables_that_can_be_compared(
    reviews: Path, encoder: Path, run: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = list(csv.DictReader(reviews.read_text().splitlines()))
    numbered = [{"review": row["review"], "stars": int(row["stars"] == "positive")} for row in rows]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, numbered)))
    args = ["--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule"]
    args += ["--data.text_column=review", "--data.label_column=stars", "--name=a"]
    cli = run("fit", *args, f"--data.train_files={reviews}", "--trainer.max_epochs=1")
    run("predict", *args, "--data.predict_files=rows.jsonl")
    found = read_predictions(cli.run.folder / "predictions.jsonl")
    names = ["negative", "positive"]
    assert [row["correct"] for row in found] == [row["prediction"] == names[row["stars"]] for row in found]
    first = compare("runs/a", "runs/a", label="stars", resamples=20)
    (cli.run.folder / "predictions.jsonl").unlink()
    run("predict", *args, "--data.predict_files=rows.jsonl", "--predictions=csv")
    table = read_predictions(cli.run.folder / "predictions.csv")
    assert [float(row["probabilities"]["positive"]) for row in table] == [
        pytest.approx(row["probabilities"]["positive"]) for row in found
    ]
    assert compare("runs/a", "runs/a", label="stars", resamples=20) == first
    run("predict", *args, "--data.predict_texts=[a film]")
    (row,) = read_predictions(cli.run.folder / "predictions.jsonl")
    assert "correct" not in row


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"prediction": "0.25"}, {"prediction": 0.25}),
        ({"prediction": "25"}, {"prediction": "25"}),
        ({"prediction": '["O", "B-A"]'}, {"prediction": ["O", "B-A"]}),
        ({"prediction": "['O', 'B-A']"}, {"prediction": ["O", "B-A"]}),
        (
            {"prediction": "b", "answers.text": '["a"]', "answers.answer_start": "[3]"},
            {"prediction": "b", "answers": {"text": ["a"], "answer_start": [3]}},
        ),
        ({"prediction": "[a", "a.b": "c"}, {"prediction": "[a", "a.b": "c"}),
    ],
)
def test_what_a_table_holds(cells: dict[str, str], expected: dict[str, Any]) -> None:
    path = Path("predictions.csv")
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(cells))
        writer.writeheader()
        writer.writerow(cells)
    assert read_predictions(path) == [expected]


def test_both_formats_are_compared_with_each_other() -> None:
    rows = [{"tokens": ["a", "b"], "tags": ["B-A", "O"], "prediction": ["B-A", "O"]}] * 9
    for run in ("one", "two"):
        Path(run).mkdir()
    Path("one/predictions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with Path("two/predictions.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows([{k: str(v) for k, v in row.items()} for row in rows])
    assert compare("one", "two", resamples=20)["scores"] == [1.0, 1.0]
