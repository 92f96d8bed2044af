"""The search on the real command line: found, interrupted, pruned, failed; bad spaces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import pretune.cli.commands.tune
from pretune.cli.commands.search_fixed import leave_out_fixed
from pretune.cli.commands.search_range_test import unbiased
from pretune.cli.commands.search_space import Space
from pretune.cli.commands.tune import SPACE
from pretune.errors import InputError
from pretune.main import main
from pretune.modules import TextClassification

optuna = pytest.importorskip("optuna")
Fails = Callable[..., str]
SEARCHED = {
    "model.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "data.batch_size": [8, 24],
    "model.backbone.dropout": {"low": 0.0, "high": 0.2},
}


@pytest.fixture
def tune(mine: Path) -> Callable[..., Any]:
    mine.write_text(mine.read_text() + "trainer: {max_epochs: 2, accelerator: cpu, enable_progress_bar: false}\n")
    Path("space.yaml").write_text(yaml.safe_dump(SEARCHED))

    def run(*args: str) -> Any:
        return main(["tune", "--config", "mine.yaml", "--space", "space.yaml", *args])

    return run


def test_the_best_is_an_overlay_that_fit_takes(
    tune: Callable[..., Any], run: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    found = tune("--trials", "3")
    home = Path("runs/mine/tune")
    assert found["folder"] == str(home)
    assert [row["trial"] for row in found["trials"]] == [0, 1, 2]
    assert found["score"] == max(row["score"] for row in found["trials"])
    for picture in ("range_test.png", "search.png"):
        assert (home / picture).read_bytes().startswith(b"\x89PNG")
    assert not list(home.glob("trial_*/version_0/checkpoints")) + list(home.glob("trial_*/version_0/export"))
    assert (home / "best.yaml").read_text().startswith("# The best of 3 trials (trial ")
    assert "| 2 | " in (printed := capsys.readouterr().out)
    assert str(home / "best.yaml") in printed
    cli = run("fit", "--config", "mine.yaml", "--config", home / "best.yaml")
    assert cli.model.learning_rate == found["best"]["model.learning_rate"]
    assert cli.datamodule.batch_size == found["best"]["data.batch_size"]
    assert cli.model.backbone.dropout == found["best"]["model.backbone.dropout"]
    assert cli.model.backbone.name.endswith("encoder")


def test_an_interrupted_search_goes_on(tune: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []
    real = pretune.cli.commands.tune.run_trial

    def killed(study: Any, trial: Any, values: dict[str, Any], *more: Any) -> None:
        tried.append(values)
        if len(tried) == 2:
            raise KeyboardInterrupt
        real(study, trial, values, *more)

    monkeypatch.setattr(pretune.cli.commands.tune, "run_trial", killed)
    with pytest.raises(KeyboardInterrupt):
        tune("--trials=3", "--range_test=false")
    found = tune("--trials=3", "--range_test=false")
    assert len(tried) == 4
    assert tried[2] == tried[1]  # once more what was interrupted
    assert [row["state"] for row in found["trials"]] == ["complete"] * 3
    assert tune("--trials=3", "--range_test=false")["best"] == found["best"]  # nothing is left to do
    assert len(tried) == 4
    with pytest.raises(SystemExit, match=r"error: The search in runs/mine/tune was made with other options"):
        tune("--trials=3", "--range_test=false", "--model.warmup=0.2")


@pytest.mark.slow
def test_what_falls_behind_is_pruned_and_what_fails_is_noted(
    tune: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Scripted scores: four good trials, then a bad one, then one without memory."""
    fits: list[int] = []

    def start(self: Any) -> None:
        fits.append(len(fits))
        if len(fits) == 6:
            raise RuntimeError("no memory")

    def scores(self: Any) -> None:
        self.log("val/pearson", 0.9 if len(fits) != 5 else 0.1)

    monkeypatch.setattr(TextClassification, "on_train_start", start)
    monkeypatch.setattr(TextClassification, "on_validation_epoch_end", scores)
    found = tune("--trials=6", "--range_test=false", "--model.monitor=val/pearson")  # which no classifier logs
    assert [row["state"] for row in found["trials"]] == ["complete"] * 4 + ["pruned", "fail"]
    assert found["trials"][4]["why"].startswith("behind the median after step")
    assert found["trials"][5]["why"] == "RuntimeError: no memory"
    assert found["score"] == pytest.approx(0.9)
    printed = capsys.readouterr().out
    assert "RuntimeError: no memory |" in printed
    tie = "Trials 0, 1, 2 and 3 are tied: validation does not tell them apart, and the first was taken."
    assert tie in printed
    assert f"# {tie}\n" in Path("runs/mine/tune/best.yaml").read_text()
    assert found["best"] == {k: v for k, v in found["trials"][0].items() if k in found["best"]}


def test_every_trial_failing_is_an_error(tune: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: Any) -> None:
        raise RuntimeError("no memory")

    monkeypatch.setattr(TextClassification, "on_train_start", start)
    with pytest.raises(SystemExit, match=r"Every trial failed; the last: RuntimeError: no memory"):
        tune("--trials=2", "--range_test=false")


def test_what_fails_three_times_alike_is_given_up(
    tune: Callable[..., Any], fails: Fails, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ("tune", "--config=mine.yaml", "--space=space.yaml", "--trials=9", "--range_test=false")
    message = fails(*args, "--model.monitor=val/acuracy")
    assert "Every trial failed; the last: model.monitor is 'val/acuracy'" in message
    assert len(list(Path("runs/mine/tune").glob("trial_*"))) == 0  # what broke off before it had anything to keep
    study = optuna.load_study(study_name="search", storage="sqlite:///runs/mine/tune/study.db")
    assert len(study.trials) == 3


def test_a_range_around_what_the_test_proposes(tune: Callable[..., Any]) -> None:
    Path("space.yaml").write_text("model.learning_rate: {around: range_test, factor: 2}\n")
    found = tune("--trials=2", "--range_test=false")  # the space asks for it all the same
    import json

    proposed = json.loads(Path("runs/mine/tune/range_test.json").read_text())["proposed"]
    assert all(proposed / 2 <= row["model.learning_rate"] <= proposed * 2 for row in found["trials"])


def fixed(space: dict[str, Any], *args: str, shipped: bool = True) -> list[str]:
    """What is left to search."""
    Path("given.yaml").write_text(yaml.safe_dump(space, sort_keys=False))
    found = Space("given.yaml")
    leave_out_fixed(found, args, shipped)
    return list(found.entries)


def test_what_is_fixed_is_not_searched(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    space = {"model.learning_rate": [1e-5, 1e-4], "data.batch_size": [8, 16], "trainer.max_epochs": [2, 3]}
    rate, size, epochs = space
    assert fixed(space) == [rate, size, epochs]
    for option in ("--model.learning_rate=1e-3", "--model.init_args.learning_rate=1e-3", "--model={learning_rate: 1}"):
        assert fixed(space, option, shipped=False) == [size, epochs]
    assert fixed(space, "--data.tokens_per_batch", "900") == [rate, epochs]
    for option in ("max_epochs=1", "max_steps=9", "max_time=00:01:00:00"):
        assert fixed(space, f"--trainer.{option}") == [rate, size]
    assert fixed(space, "--trainer.max_epochs=null") == [rate, size, epochs]
    assert "Fixed, and not searched: trainer.max_steps 9 on the command line" in caplog.text
    config = {
        "model": {"class_path": "TextClassification", "init_args": {"learning_rate": 2e-5, "backbone": "x"}},
        "data": {"init_args": {"batch_size": 4}},
        "trainer": {"max_steps": 7},
    }
    Path("mine.yaml").write_text(yaml.safe_dump(config))
    assert fixed(space, "--config", "mine.yaml") == [rate]
    assert "data.batch_size 4 in the configuration; trainer.max_steps 7 in the configuration" in caplog.text
    assert "Searched, in place of what the configuration says: model.learning_rate 2e-05" in caplog.text
    assert fixed(space, "--config=mine.yaml", shipped=False) == [rate, size, epochs]
    inside = {"model.backbone.dropout": [0.0, 0.1]}
    assert fixed(inside, "--config", "mine.yaml") == list(inside)
    with pytest.raises(InputError, match=r"All that given.yaml searches is fixed: model.backbone.dropout 0.3 on the"):
        fixed(inside, "--config", "mine.yaml", '--model.backbone={"name": "x", "dropout": 0.3}')


@pytest.mark.parametrize(
    ("entry", "proposed", "bounds", "sentence"),
    [
        ({"low": 1e-5, "high": 1e-4}, 1e-5, (1e-5, 4e-5), "within a factor of 4 of the proposal"),
        ({"low": 1e-5, "high": 1e-4}, 1e-4, (2.5e-5, 1e-4), "is searched from 2.5e-05 to 0.0001"),
        ({"low": 1e-5, "high": 1e-4}, 3e-5, (1e-5, 1e-4), "all of which is within"),
        (
            {"low": 1e-5, "high": 1e-4},
            1e-2,
            (1e-5, 1e-4),
            "(0.01) is passed over: it lies above that range.",
        ),
        ({"low": 1e-5, "high": 1e-4}, 1e-6, (1e-5, 1e-4), "The proposal (1e-06) is passed over: it lies below"),
        ({"low": 1e-5, "high": 1e-4}, None, (1e-5, 1e-4), "from 1e-05 to 0.0001, as rates.yaml says."),
        ([1e-5, 1e-4], 1e-2, None, "as rates.yaml lists them"),
        ({"around": "range_test", "factor": 2}, 1e-3, None, "from 0.0005 to 0.002, around the proposal"),
    ],
)
def test_the_proposal_bounds_the_search(
    entry: Any, proposed: float | None, bounds: tuple[float, float] | None, sentence: str
) -> None:
    Path("rates.yaml").write_text(yaml.safe_dump({"model.learning_rate": entry}))
    space = Space("rates.yaml")
    assert sentence in space.bound(proposed, tested=True)
    if bounds is not None:
        found = space.entries["model.learning_rate"]
        assert (found["low"], found["high"]) == pytest.approx(bounds)
    assert "around" in entry or space.bound(None, tested=False) == ""


def test_around_no_proposal(caplog: pytest.LogCaptureFixture) -> None:
    Path("rates.yaml").write_text("model.learning_rate: {around: range_test}\n")
    with pytest.raises(InputError, match="proposes none, as the loss never fell"):
        Space("rates.yaml").bound(None, tested=True)


def test_the_search_is_bounded_and_the_rest_stays(
    tune: Callable[..., Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretune.cli.commands.tune, "range_test", lambda root, args: 4e-4)
    caplog.set_level("INFO")
    found = tune("--trials=3", "--data.batch_size=16", "--trainer.max_epochs=1")
    assert all(1e-4 <= row["model.learning_rate"] <= 1.6e-3 for row in found["trials"])
    assert all("data.batch_size" not in row for row in found["trials"])
    assert "model.learning_rate is searched from 0.0001 to 0.0016" in caplog.text


def test_a_search_in_which_nothing_was_learned_says_so(
    tune: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    tune("--trials=1", "--range_test=false", "--model.learning_rate=1e-12")
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert "Validation shows nothing that was learned" in last
    assert "is as good as any other: train longer" in last
    assert "Train with it" not in last
    assert "# Validation shows nothing that was learned" in Path("runs/mine/tune/best.yaml").read_text()


def test_the_shipped_space_is_one() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    found = Space(SPACE).suggest(study.ask(), None)
    assert 1e-5 <= found["model.learning_rate"] <= 1e-4
    assert found["data.batch_size"] in (16, 32)
    assert found["trainer.max_epochs"] in (2, 3, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "is not YAML"),
        ("- 1", "must map options"),
        ("learning_rate: [1.0, 2.0]", "an option has the form it has on the command line"),
        ("model.learning_rate: 3", "give a list of choices"),
        ("model.learning_rate: []", "give a list of choices"),
        ("model.learning_rate: {low: 1e-5, high: 1e-4}", r"must be numbers, such as 1\.0e-5"),
        ("model.learning_rate: {low: 2, high: 1}", r"low \(2\) must be below high \(1\)"),
        ("model.learning_rate: {low: 0, high: 1, log: true}", "needs a low above 0"),
        ("model.learning_rate: {minimum: 0, high: 1}", "there is no minimum"),
        ("model.warmup: {around: range_test}", r"only model\.learning_rate can be"),
    ],
)
def test_bad_spaces(text: str, message: str) -> None:
    Path("bad.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        Space("bad.yaml")


def test_bad_commands(tune: Callable[..., Any], fails: Fails) -> None:
    assert "There is no search space nowhere.yaml" in fails("tune", "--config=mine.yaml", "--space=nowhere.yaml")
    assert "--trials is 'many'" in fails("tune", "--config=mine.yaml", "--trials=many")
    assert "--trials is 0; it must be at least 1" in fails("tune", "--config=mine.yaml", "--trials=0")
    for text in ("model.learning_rat: [1.0e-3]\n", "model.learning_rat: {low: 1.0e-3, high: 1.0e-2}\n"):
        Path("space.yaml").write_text(text)
        assert "no option" in fails("tune", "--config=mine.yaml", "--space=space.yaml", "--trials=1")
    assert not Path("runs").exists()  # not even the range test was run


def test_without_validation_there_is_nothing_to_choose_by(tune: Callable[..., Any], fails: Fails) -> None:
    args = ("tune", "--config=mine.yaml", "--space=space.yaml", "--range_test=false", "--trials=2")
    assert "tune chooses by validation, and there is none" in fails(*args, "--data.validation_fraction=0")
    Path("space.yaml").write_text("data.batch_size: [4, 8]\n")  # what broke off at once stands in nobody's way
    assert [row["state"] for row in tune("--trials=1", "--range_test=false")["trials"]] == ["complete"]


def test_the_range_test_is_drawn_as_it_was() -> None:
    """Losses that are all alike: Lightning's smoothing shows half of the first one."""
    smoothed, mean = [], 0.0
    for step in range(1, 6):
        mean = 0.98 * mean + 0.02 * 3.0
        smoothed.append(mean / (1 - 0.98 ** (step + 1)))
    assert smoothed[0] < 1.6
    assert unbiased(smoothed) == pytest.approx([3.0] * 5)
