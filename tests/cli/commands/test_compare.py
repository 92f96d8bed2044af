"""Runs compared by their predictions: made by hand, and by the real command line."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, matthews_corrcoef

from pretune.cli.commands.compare import compare
from pretune.cli.commands.compare_metrics import METRICS
from pretune.errors import InputError
from pretune.main import main
from pretune.text.tags import Convention

Run = Callable[..., Any]


def write(run: str, predictions: list[Any], labels: list[Any], **columns: Any) -> str:
    rows = [
        {"text": f"text {i}", "label": label, **{k: v[i] for k, v in columns.items()}, "prediction": prediction}
        for i, (prediction, label) in enumerate(zip(predictions, labels, strict=True))
    ]
    Path(run).mkdir(parents=True)
    Path(run, "predictions.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return run


LABELS = ["a" if i % 3 else "b" for i in range(120)]
WRONG = {"a": "b", "b": "a"}


def guesses(every: int) -> list[str]:
    return [WRONG[label] if i % every == 0 else label for i, label in enumerate(LABELS)]


def test_a_real_difference_and_none(capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third = (
        write(f"runs/{n}/version_0", guesses(every), LABELS) for n, every in (("one", 2), ("two", 20), ("three", 25))
    )
    found = main(["compare", "runs/one", "runs/two", "--resamples", "1000"])
    assert found["scores"] == [0.5, 0.95]
    assert found["low"] < 0.45 < found["high"]
    assert "runs/two is better by 45.0 points" in (printed := capsys.readouterr().out)
    assert "McNemar's exact test: p = 0.0000" in printed
    assert "One run on each side" in printed
    main(["compare", second, third, "--resamples", "1000"])
    assert "could be chance" in capsys.readouterr().out
    assert compare(first, first, resamples=100)["difference"] == 0


def test_seeds_are_compared_with_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (1, 2):
        write(f"runs/a/seed_{seed}/version_0", guesses(2 + seed), LABELS)
        write(f"runs/b/seed_{seed}/version_0", guesses(20 + seed), LABELS)
    write("runs/b/seed_1_old_1/version_0", guesses(1), LABELS)  # put aside
    compare("runs/a", "runs/b", resamples=500)
    assert "2 and 2 seeds" in (printed := capsys.readouterr().out)
    assert "that is real" in printed


def test_metrics_against_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    gold, found = (np.array(list("abc"))[rng.integers(3, size=200)] for _ in range(2))
    assert METRICS["mcc"](gold, found) == pytest.approx(matthews_corrcoef(gold, found))
    assert METRICS["f1"](gold, found) == pytest.approx(f1_score(gold, found, average="macro"))
    numbers, others = rng.random(50), rng.random(50)
    from scipy.stats import pearsonr, spearmanr

    assert METRICS["pearson"](numbers, others) == pytest.approx(pearsonr(numbers, others).statistic)
    assert METRICS["spearman"](numbers, others) == pytest.approx(spearmanr(numbers, others).statistic)


def test_other_kinds_of_labels() -> None:
    numbers = [i / 10 for i in range(30)]
    write("one", [x + 0.1 * (i % 3) for i, x in enumerate(numbers)], numbers)
    write("two", [x * (-1) ** i for i, x in enumerate(numbers)], numbers)
    assert compare("one", "two", resamples=100)["metric"] == "pearson"
    answers = [{"text": [f"the answer {i}"], "answer_start": [0]} for i in range(20)]
    write("three", [f"Answer {i}." for i in range(20)], answers)
    write("four", ["nothing"] * 20, answers)
    found = compare("three", "four", resamples=100)
    assert (found["metric"], found["scores"]) == ("answer_f1", [1.0, 0.0])
    # Numbers in the file, names in the model.
    write("five/version_0", ["bad", "good"] * 10, [0, 1] * 10)
    Path("five/version_0/config.yaml").write_text("data: {init_args: {label_names: [bad, good]}}")
    assert compare("five", "five", resamples=50)["scores"] == [1.0, 1.0]


def test_lists_of_labels_and_tags() -> None:
    rng = np.random.default_rng(1)
    names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    tags = [[[names[i] for i in rng.integers(5, size=6)] for _ in range(40)] for _ in range(2)]
    found, gold = tags[0], [Convention("iob1").read("", row) for row in tags[1]]
    write("one", found, [[names.index(tag) for tag in row] for row in gold])
    Path("one/export").mkdir()
    Path("one/export/config.json").write_text(json.dumps({"id2label": dict(enumerate(names))}))
    told = compare("one", "one", resamples=20)
    assert told["metric"] == "entity_f1"
    from seqeval.metrics import f1_score as entity_f1
    from seqeval.scheme import IOB2

    assert told["scores"][0] == pytest.approx(entity_f1(gold, found, mode="strict", scheme=IOB2))
    labels = [[[n for n in "abc" if rng.random() < 0.5] for _ in range(40)] for _ in range(2)]
    write("two", labels[0], labels[1])
    told = compare("two", "two", resamples=20)
    rows = [[[n in row for n in "abc"] for row in side] for side in labels]
    assert told["metric"] == "micro_f1"
    assert told["scores"][0] == pytest.approx(f1_score(rows[1], rows[0], average="micro"))
    write("three", ["a"] * 9, ["a"] * 9)
    with pytest.raises(InputError, match="entity_f1 compares lists"):
        compare("three", "three", "entity_f1", resamples=10)


def test_what_cannot_be_compared() -> None:
    write("one", guesses(3), LABELS)
    write("short", guesses(3)[:9], LABELS[:9])
    write("other", guesses(3), LABELS, source=["x"] * 120)
    for second, metric, label, message in (
        ("nowhere", None, None, "There is no run folder nowhere"),
        ("short", None, None, "has 120 rows, .*9: predict the same file"),
        ("other", None, None, "Row 1 differs in source"),
        ("one", "bleu", None, "There is no metric 'bleu'; there are: accuracy"),
        ("one", None, "stars", "has no column 'stars'; it has: text, label"),
        ("one", None, "text", "one/predictions.jsonl: no prediction is ever equal to a label"),
        ("one", "pearson", None, "compares numbers"),
    ):
        with pytest.raises(InputError, match=message):
            compare("one", second, metric, label, resamples=10)
    Path("empty/version_0").mkdir(parents=True)
    with pytest.raises(InputError, match=r"has no predictions\.jsonl"):
        compare("one", "empty")


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_the_newest_file_with_labels_is_taken(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name, every in (("one", 3), ("two", 5)):
        write(name, guesses(every), LABELS)
        newer = {
            "jsonl": '{"review": "dull", "label": null, "prediction": "a"}\n',
            "csv": "review,prediction\ndull,a\n",
        }
        Path(name, f"predictions-2.{kind}").write_text(newer[kind])
        os.utime(f"{name}/predictions.jsonl", (1, 1))
    assert compare("one", "two", resamples=10)["metric"] == "accuracy"
    assert "two/predictions-2." in (printed := capsys.readouterr().out)
    assert "it holds no labels. one/predictions.jsonl is the newest that does." in printed
    assert compare("one", "two", label="label", resamples=10)["metric"] == "accuracy"
    Path("one/predictions.jsonl").unlink()
    newest = Path(f"one/predictions-2.{kind}")
    newest.write_text(newest.read_text().replace('"label": null, ', ""))
    with pytest.raises(
        InputError, match=r"predictions-2.* has no column that is known to hold labels; it has: review\."
    ):
        compare("one", "one", resamples=10)


def test_seeds_and_comparison_from_the_command_line(
    reviews: Path, encoder: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    args = [
        "--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule",
        "--data.train_files=reviews.csv", "--data.text_column=review", "--data.label_column=stars",
        "--trainer.max_epochs=1", "--name=many",
    ]  # fmt: skip
    results = run("fit", *args, "--seeds=1,2")
    assert list(results["metrics"]["val/accuracy"]["seeds"]) == [1, 2]
    for seed in (1, 2):
        folder = f"runs/many/seed_{seed}/version_0"
        assert (Path(folder) / "export/model.safetensors").is_file()
        run("predict", *args[:-2], f"--name=seed_{seed}", "--trainer.default_root_dir=runs/many",
            "--data.predict_files=reviews.csv")  # fmt: skip
    shutil.copytree("runs/many", "runs/again")
    capsys.readouterr()
    found = run_compare("runs/many", "runs/again", "--label=stars", "--resamples=200")
    assert found["difference"] == 0
    assert "80 examples, 2 and 2 seeds" in capsys.readouterr().out


def run_compare(*args: str) -> Any:
    return main(["compare", *args])


def test_a_lower_error_is_better(capsys: pytest.CaptureFixture[str]) -> None:
    """The second run is further from the right numbers, so that the first is the better one."""
    numbers = [i / 10 + 0.05 for i in range(100)]
    near = write("runs/near/version_0", [n + 0.1 for n in numbers], numbers)
    far = write("runs/far/version_0", [n + 0.5 + 0.01 * (i % 3) for i, n in enumerate(numbers)], numbers)
    found = compare(near, far, "mse", resamples=200)
    assert found["scores"][0] == pytest.approx(0.01)
    assert f"{near} is better by" in capsys.readouterr().out


def test_the_files_are_named_and_rows_without_an_answer_told(capsys: pytest.CaptureFixture[str]) -> None:
    """30 of 120 rows abstained: they count as wrong, which is said, as is where the other file lies."""
    write("runs/one/version_0", LABELS, LABELS)
    write("runs/two/version_0", LABELS, LABELS)
    sure = [i % 4 > 0 for i in range(120)]
    answers = [label if known else None for label, known in zip(LABELS, sure, strict=True)]
    withheld = Path(write("some", answers, LABELS, abstained=[not known for known in sure]), "predictions.jsonl")
    newer = withheld.rename("runs/two/version_0/predictions-2.jsonl")
    os.utime("runs/two/version_0/predictions.jsonl", (1, 1))
    assert compare("runs/one", "runs/two", resamples=10)["scores"] == [1.0, 0.75]
    printed = capsys.readouterr().out
    assert "Read runs/one/version_0/predictions.jsonl.\n" in printed
    assert f"Read {newer}: 30 of 120 abstained (count as wrong).\n" in printed
    assert "1 other file of predictions lies beside, the newest runs/two/version_0/predictions.jsonl: named" in printed
    table = Path("runs/two/version_0/predictions-3.csv")
    table.write_text(
        "text,label,abstained,prediction\n"
        + "".join(f"text {i},{label},{not sure[i]},{label if sure[i] else ''}\n" for i, label in enumerate(LABELS))
    )
    for file in (newer, table):
        assert compare("runs/one", str(file), resamples=10)["scores"] == [1.0, 0.75]
        assert f"Read {file}: 30 of 120 abstained (count as wrong).\n" in capsys.readouterr().out
    assert main(["compare", "runs/one", "runs/two/version_0/predictions.jsonl", "--resamples=10"])["scores"] == [1, 1]
    assert "abstained" not in capsys.readouterr().out


def test_files_without_any_answer_and_files_of_something_else() -> None:
    write("one", guesses(3), LABELS)
    write("none", [None] * 120, LABELS, abstained=[True] * 120)
    write("strange", ["c"] * 120, LABELS)
    Path("notes.txt").write_text("x")
    for first, second, message in (
        ("one", "none", r"none/predictions\.jsonl: all 120 rows abstained \(none reached --threshold\)"),
        ("none", "one", "all 120 rows abstained"),
        ("one", "strange", r"strange/predictions\.jsonl: no prediction is ever equal"),
        ("one", "notes.txt", r"notes\.txt is no file of predictions \(\.jsonl or \.csv\)"),
        ("one/predictions.jsonl", None, "is a file: name the run folder, or a second file"),
    ):
        with pytest.raises(InputError, match=message):
            compare(first, second, resamples=10)
    questions = [{"text": [], "answer_start": []}] * 9
    write("asked", [None] * 9, questions, abstained=[True] * 9)  # and none is right
    assert compare("asked", "asked", resamples=10)["scores"] == [1.0, 1.0]
