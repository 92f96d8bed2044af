"""What holds for every tracker."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pretune.cli.trackers.choice import Choice
from pretune.cli.trackers.tracking import Tracking, read_kept
from pretune.errors import InputError

PACKAGES = {"wandb": "wandb", "mlflow": "mlflow", "comet": "comet-ml", "aim": "aim"}


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_that_is_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said with what installs it; the import name and the name for pip differ."""
    monkeypatch.setattr("pretune.cli.trackers.tracker.find_spec", lambda module: None)
    with pytest.raises(InputError, match=rf'pip install "pretune\[{name}\]", or pip install {PACKAGES[name]}\.'):
        Tracking([Choice(name)])


def test_notes_that_are_damaged(tmp_path: Path) -> None:
    assert read_kept(tmp_path) == {}
    (tmp_path / "trackers.json").write_text("{")
    assert read_kept(tmp_path) == {}


def test_names_that_others_have_for_it(fails: Callable[..., str], mine: Path) -> None:
    """`report_to` is what the Trainer of Hugging Face calls it."""
    assert "--logger" in fails("fit", "--config", mine, "--report_to", "wandb")
    assert "--logger wandb" in fails("fit", "--config", mine, "--use_wandb", "true")


def test_without_the_line_nothing_is_imported(run: Callable[..., Any], mine: Path) -> None:
    """No tracker, no package of one, no note."""
    run("fit", "--config", mine, "--trainer.max_steps=1", "--export_check=false")
    assert not Path("runs/mine/version_0/trackers.json").exists()
    assert importlib.util.find_spec("pretune.cli.trackers.wandb_tracker") is not None
