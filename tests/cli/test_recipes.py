"""Recipes lie under what the user writes, and the run's configuration shows every value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pretune.cli.recipes import FOLDER, names, with_recipe

Run = Callable[..., Any]


@pytest.fixture
def config(encoder: Path, reviews: Path) -> str:
    Path("mine.yaml").write_text(
        f"""
model:
  class_path: TextClassification
  init_args: {{backbone: {encoder}, warmup: 0.25}}
data:
  class_path: TextClassificationDataModule
  init_args: {{train_files: reviews.csv, text_column: review, label_column: stars}}
"""
    )
    return "mine.yaml"


SHORT = ("--trainer.max_epochs=1", "--trainer.limit_train_batches=2")


@pytest.mark.parametrize("recipe", names())
def test_every_value_is_in_the_runs_configuration(recipe: str, config: str, run: Run) -> None:
    cli = run("fit", "--config", config, "--recipe", recipe, *SHORT)
    assert cli.run.folder == Path("runs/mine/version_0")  # named after the user's file
    saved = yaml.safe_load((cli.run.folder / "config.yaml").read_text())
    wanted = yaml.safe_load((FOLDER / f"{recipe}.yaml").read_text())
    assert saved["recipe"] == recipe
    assert saved["model"]["init_args"]["warmup"] == 0.25  # the user's
    for name, value in wanted.pop("model")["init_args"].items():
        assert saved["model"]["init_args"][name] == (0.25 if name == "warmup" else value)
    for key, options in wanted.items():
        assert saved[key] | options == saved[key]
    assert cli.model.learning_rate == saved["model"]["init_args"]["learning_rate"]
    again = run("fit", "--config", cli.run.folder / "config.yaml", "--name=again")
    saved_again = yaml.safe_load((again.run.folder / "config.yaml").read_text())
    assert saved_again["model"] == saved["model"]


def test_files_name_recipes_too_and_the_command_line_wins(config: str, run: Run) -> None:
    Path("overlay.yaml").write_text("recipe: gentle\nearly_stopping: {patience: 7}\n")
    cli = run("fit", "--config", config, "--config", "overlay.yaml", "--model.layer_decay=0.5", *SHORT)
    gentle = yaml.safe_load((FOLDER / "gentle.yaml").read_text())
    assert (cli.model.layer_decay, cli.model.l2_sp) == (0.5, gentle["model"]["init_args"]["l2_sp"])
    assert cli.trainer.early_stopping_callbacks[0].patience == 7
    cli = run("fit", "--config", config, "--config", "overlay.yaml", "--recipe=standard", *SHORT)
    assert (cli.model.layer_decay, cli.model.l2_sp) == (1.0, 0.0)
    cli = run("fit", "--config", config, "--config", "overlay.yaml", "--recipe=null", *SHORT)
    assert cli.model.l2_sp == 0.0


def test_on_the_command_line_alone(encoder: Path, reviews: Path, run: Run) -> None:
    args = [f"--model.backbone={encoder}", "--data=TextClassificationDataModule", "--data.train_files=reviews.csv"]
    args += ["--data.text_column=review", "--data.label_column=stars"]
    cli = run("fit", "--recipe=few_labels", "--model", "TextClassification", *args, *SHORT)
    wanted = yaml.safe_load((FOLDER / "few_labels.yaml").read_text())["model"]["init_args"]
    assert cli.model.learning_rate == wanted["learning_rate"]
    assert cli.run.folder == Path("runs/TextClassification/version_0")


def test_an_unknown_recipe_names_those_there_are(config: str, fails: Callable[..., str]) -> None:
    assert "few_labels, gentle, standard" in fails("fit", "--config", config, "--recipe=brave")


def test_without_a_recipe_nothing_changes() -> None:
    assert with_recipe(["fit", "--config", "nowhere.yaml"]) == ["fit", "--config", "nowhere.yaml"]
    assert with_recipe([]) == []
