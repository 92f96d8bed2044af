"""One configuration with several seeds: resumed, changed, failed; the table by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pretune.cli.commands import seeds
from pretune.cli.commands.seeds import FitCLI, failed, seeds_of, summarize, table

Run = Callable[..., Any]
Fails = Callable[..., str]


@pytest.fixture
def config(mine: Path) -> str:
    mine.write_text(mine.read_text() + "trainer: {max_epochs: 1}\n")
    return str(mine)


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    real = seeds.run_alone

    def command(args: Any) -> Any:
        names = [arg.partition("=")[2] for arg in args if arg.startswith("--name=")]
        if "--trainer.default_root_dir=runs/mine" in args:
            seen.append(f"{args[0]} {names[-1]}")
        return real(args)

    monkeypatch.setattr(seeds, "run_alone", command)
    return seen


@pytest.mark.slow
def test_what_is_done_is_kept(config: str, commands: list[str], run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    Path(config).write_text(Path(config).read_text() + "\nseeds: 1,2\n")
    results = run("fit", "--config", config)
    assert commands == ["fit seed_1", "validate seed_1", "fit seed_2", "validate seed_2"]
    entry = results["metrics"]["val/accuracy"]
    values = [
        json.loads(Path(f"runs/mine/seed_{seed}/result.json").read_text())["scores"]["val/accuracy"] for seed in (1, 2)
    ]
    assert entry["mean"] == pytest.approx(sum(values) / 2)
    assert list(entry["seeds"].values()) == values
    saved = yaml.safe_load(Path("runs/mine/seed_2/version_0/config.yaml").read_text())
    assert saved["seed_everything"] == saved["data"]["init_args"]["seed"] == 2
    assert Path("runs/mine/seeds.md").read_text() in capsys.readouterr().out
    commands.clear()
    again = run("fit", "--config", config, "--seeds", "1,2,3")
    assert commands == ["fit seed_3", "validate seed_3"]
    assert list(again["metrics"]["val/accuracy"]["seeds"]) == [1, 2, 3]
    commands.clear()
    run("fit", "--config", config, "--seeds=1", "--model.learning_rate=1e-3")
    assert commands == ["fit seed_1", "validate seed_1"]
    assert Path("runs/mine/seed_1_old_1/result.json").is_file()
    assert "Seed 1 starts anew" in capsys.readouterr().out


def test_a_seed_that_breaks_off_does_not_stop_the_others(
    config: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pretune.modules import TextClassification

    real = TextClassification.on_fit_start

    def broken(self: Any) -> None:
        real(self)
        if self._seed == 1:
            raise RuntimeError("no memory")

    monkeypatch.setattr(TextClassification, "on_fit_start", broken)
    with pytest.raises(SystemExit, match="1 of 2 seeds broke off"):
        run("fit", "--config", config, "--seeds=1,2")
    results = json.loads(Path("runs/mine/seeds.json").read_text())
    assert results["broke_off"] == {"1": "RuntimeError: no memory"}
    assert list(results["metrics"]["val/accuracy"]["seeds"]) == ["2"]


def test_the_table_by_hand() -> None:
    def state(accuracy: float, loss: float = 0.5) -> dict[str, Any]:
        scores = {"val/loss": loss, "val/accuracy": accuracy}
        return {"scores": scores, "monitor": "val/accuracy", "commonest": 0.6}

    assert failed(state(0.61)) is None
    assert failed(state(0.6)) == "accuracy 0.600: always the commonest label has 0.600"
    assert failed(state(0.9, float("nan"))) == "val/loss is not a number"
    results = summarize({1: state(0.8), 2: state(0.6), 3: state(0.7)}, {4: "no memory"})
    lines = table(results).splitlines()
    assert lines[2] == "| val/accuracy | 0.7000 | 0.1000 | 0.4516 to 0.9484 | 0.8000 | 0.6000 | 0.7000 |"
    assert lines[5:] == [
        "Failed runs, which learned nothing: 1 of 3.",
        "- seed 2: accuracy 0.600: always the commonest label has 0.600",
        "- seed 4 broke off: no memory",
    ]
    assert "| 0.8000 | - | - | 0.8000 |" in table(summarize({1: state(0.8)}, {}))


def test_seeds_of_a_configuration(mine: Path) -> None:
    Path("seeds.yaml").write_text("seeds: [1, 2]")
    Path("text.yaml").write_text("seeds: 1,2,3")
    Path("one.yaml").write_text("seeds: 7")

    def asked(*args: str) -> list[int]:
        text = FitCLI(["fit", "--config", str(mine), *args]).seeds
        assert text is not None
        return seeds_of(text)

    assert asked("--config", "seeds.yaml") == [1, 2]
    assert asked("--config=seeds.yaml", "--config", "text.yaml") == [1, 2, 3]
    assert asked("--config=one.yaml") == [7]
    assert asked("--config", "text.yaml", "--seeds=4") == [4]
    assert asked("--config", "text.yaml", "--seeds", "[5, 6]") == [5, 6]
    assert not Path("runs").exists()


def test_no_seeds_are_one_training(config: str, run: Run) -> None:
    Path("text.yaml").write_text("seeds: 1,2,3")
    assert run("fit", "--config", config, "--config", "text.yaml", "--seeds=null").run.folder.is_dir()


def test_bad_seeds_say_so(config: str, fails: Fails) -> None:
    for given in ("one", "1,x", ",", "", "-1", "1,1"):
        assert "whole numbers between commas" in fails("fit", "--config", config, f"--seeds={given}")
    assert not Path("runs").exists()
    assert "leave --seed_everything out" in fails("fit", "--config", config, "--seeds=1,2", "--seed_everything=3")
