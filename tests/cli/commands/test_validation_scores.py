"""Seeds compared by their scores on validation, where nothing was predicted: by hand, and as they come of `fit`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from scipy.stats import ttest_ind

from pretune.cli.commands.compare import compare
from pretune.cli.commands.significance import welch
from pretune.errors import InputError
from pretune.main import main

ONE, TWO = [0.80, 0.82, 0.81], [0.90, 0.93, 0.91, 0.92]


def seeds(run: str, scores: list[float], metric: str = "val/accuracy", mode: str | None = "max") -> str:
    for seed, score in enumerate(scores, 8):
        home = Path(run, f"seed_{seed}")
        home.mkdir(parents=True)
        state = {"scores": {metric: score, "val/loss": 1 - score}, "monitor": metric, "mode": mode}
        (home / "result.json").write_text(json.dumps(state))
    return run


def version(run: str, number: int, seed: int, score: float, rate: float = 0.1, **fit: Any) -> None:
    home = Path(run, f"version_{number}")
    home.mkdir(parents=True)
    config = {"seed_everything": seed, "name": str(number), "data": {"init_args": {"seed": seed}}, "rate": rate}
    (home / "config.yaml").write_text(yaml.safe_dump(config))
    kept = {"step": 3, "val/accuracy": score, "val/loss": 0.5}
    (home / "summary.json").write_text(
        json.dumps({"fit": {"monitor": "val/accuracy", "mode": "max", "kept": kept, **fit}})
    )


def test_mean_spread_and_number(capsys: pytest.CaptureFixture[str]) -> None:
    seeds("runs/a", ONE), seeds("runs/b", TWO)
    (Path("runs/a/seed_8_old_1")).mkdir()
    found = main(["compare", "runs/a", "runs/b"])
    assert [side["n"] for side in found["sides"]] == [3, 4]
    printed = capsys.readouterr().out
    assert "val/accuracy of runs/a: mean 0.8100, std 0.0100, n 3 (seeds 8, 9, 10)." in printed
    assert "val/accuracy of runs/b: mean 0.9150, std 0.0129, n 4 (seeds 8, 9, 10, 11)." in printed
    assert "runs/b is better by 0.1050: that is real." in printed
    assert "`predict` on held-out rows" in printed
    theirs = ttest_ind(TWO, ONE, equal_var=False)
    assert found["p"] == pytest.approx(theirs.pvalue)
    low, high = theirs.confidence_interval(0.95)
    assert (found["low"], found["high"]) == pytest.approx((low, high))
    assert "could be chance" not in printed
    alone = main(["compare", "runs/a"])
    assert alone["sides"][0]["mean"] == pytest.approx(0.81)
    assert "mean 0.8100, std 0.0100, n 3" in capsys.readouterr().out


def test_what_should_fall(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("val/perplexity", "val/mine"):
        mode = "min" if name == "val/mine" else None  # else by its name
        compare(seeds(f"{name}/a", [3.0, 3.1], name, mode), seeds(f"{name}/b", [9.0, 9.2], name, mode))
        assert f"{name}/a is better by 6.0500: that is real." in capsys.readouterr().out


def test_runs_that_differ_in_their_seed_are_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    for number, (seed, score, rate) in enumerate([(1, 0.1, 0.2), (1, 0.8, 0.1), (2, 0.7, 0.1), (1, 0.9, 0.1)]):
        version("runs/mine", number, seed, score, rate)
    version("runs/mine", 4, 3, 0.1, kept={})  # broken off
    found = compare("runs/mine")
    assert found["sides"][0]["seeds"] == {"2": 0.7, "1": 0.9}  # of the newest configuration, and of each the newest
    assert compare("runs/mine/version_0")["sides"][0]["seeds"] == {"1": 0.1}
    assert "One run: how far seeds are apart" in capsys.readouterr().out
    compare("runs/mine", "runs/mine/version_0")
    assert "runs/mine is ahead by 0.7000, which could be chance: one run of runs/mine/version_0 says nothing" in (
        capsys.readouterr().out
    )


def test_nothing_to_compare() -> None:
    with pytest.raises(InputError, match="There is no run folder runs/none"):
        compare("runs/none")
    Path("empty").mkdir()
    with pytest.raises(InputError, match="empty holds no run with scores on validation"):
        compare("empty")
    seeds("a", ONE), seeds("b", TWO, "val/f1")
    with pytest.raises(InputError, match="a and b have no score 'val/accuracy' in all their runs; there are: val/loss"):
        compare("a", "b")
    assert compare("a", "b", "loss")["metric"] == "val/loss"
    assert welch([0.5, 0.5], [0.5, 0.5])["p"] == 1.0


def test_predictions_come_first_and_tell_the_spread(capsys: pytest.CaptureFixture[str]) -> None:
    labels = ["a", "b"] * 20
    for run, wrong in (("a", (4, 8)), ("b", (20, 24))):
        seeds(f"runs/{run}", [0.5, 0.6])
        for seed, number in zip((8, 9), wrong, strict=True):
            rows = [{"label": x, "prediction": "c" if i < number else x} for i, x in enumerate(labels)]
            Path(f"runs/{run}/seed_{seed}/predictions.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    found = compare("runs/a", "runs/b", resamples=100)
    assert found["metric"] == "accuracy"
    printed = capsys.readouterr().out
    assert "runs/a: mean 85.00, std 7.07, n 2." in printed
    assert "runs/b: mean 45.00, std 7.07, n 2." in printed


def test_as_fit_leaves_them(encoder: Path, reviews: Path, run: Callable[..., Any]) -> None:
    options = (
        "--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule",
        "--data.train_files=reviews.csv", "--data.label_column=stars", "--trainer.max_epochs=1",
    )  # fmt: skip
    results = run("fit", *options, "--name=many", "--seeds=1,2")
    told = compare("runs/many")["sides"][0]
    assert told["seeds"] == {str(k): v for k, v in results["metrics"]["val/accuracy"]["seeds"].items()}
    assert json.loads(Path("runs/many/seed_1/result.json").read_text())["mode"] == "max"
    for seed in (1, 2):
        run("fit", *options, "--name=each", f"--seed_everything={seed}", f"--data.seed={seed}")
    assert compare("runs/each")["sides"][0]["seeds"] == told["seeds"]
    assert compare("runs/many", "runs/each")["difference"] == 0


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ({"train_files": "films.csv"}, {"train_files": "news.csv"}, "data.train_files films.csv against news.csv"),
        ({"validation_fraction": 0.1}, {"validation_fraction": 0.5}, "data.validation_fraction 0.1 against 0.5"),
        ({"validation_files": "v.csv"}, {"validation_files": None}, "data.validation_files v.csv against null"),
        ({"dataset": "imdb"}, {"dataset": "sst2"}, "data.dataset imdb against sst2"),
        ({"label_column": "stars"}, {"label_column": "topic"}, "data.label_column stars against topic"),
        ({"label_column": "stars"}, {"label_column": None}, None),
        ({"train_files": "films.csv"}, {"train_files": ["./films.csv"], "seed": 3}, None),
        (
            {"train_files": "few.csv", "validation_files": "v.csv"},
            {"train_files": "many.csv", "validation_files": "v.csv"},
            None,
        ),
    ],
)
def test_runs_validated_on_different_data(
    capsys: pytest.CaptureFixture[str], one: dict[str, Any], other: dict[str, Any], apart: str | None
) -> None:
    for name, options in (("a", one), ("b", other)):
        version(f"runs/{name}", 0, 1, 0.8 if name == "a" else 0.9)
        seeds(f"runs/seeds_{name}", ONE if name == "a" else TWO)
        for home in (f"runs/{name}", f"runs/seeds_{name}/seed_10"):
            file = Path(home, "version_0/config.yaml")
            file.parent.mkdir(exist_ok=True)
            file.write_text(yaml.safe_dump({"data": {"init_args": options}}))
    for prefix in ("runs/", "runs/seeds_"):
        found = compare(f"{prefix}a", f"{prefix}b")
        assert found.get("validated_on") == ([apart] if apart else None)
        printed = capsys.readouterr().out
        assert ("They were validated on different data" in printed) is bool(apart)
        assert ("ahead by" in printed or "better by" in printed) is not bool(apart)
