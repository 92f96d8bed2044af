"""A run as its folder tells it."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_runs import labeled, make_run

from pretune.cli.reporting import Run
from pretune.errors import InputError


def test_steps_count_from_one_and_before_training_is_step_zero(tmp_path: Path) -> None:
    run = Run(make_run(tmp_path / "run/version_0"))
    assert run.curves.validation == [
        (0, 1.0), (10, pytest.approx(1 - 9 / 60)), (20, pytest.approx(1 - 19 / 60)), (30, pytest.approx(1 - 29 / 60))
    ]  # fmt: skip
    assert run.curves.losses[0] == (1, 1.0)
    assert run.curves.metric == "val/accuracy"
    assert [step for step, _ in run.curves.train_metric] == [10, 20, 30]


def test_a_name_is_its_newest_version(tmp_path: Path) -> None:
    for number in (2, 10, 9):
        make_run(tmp_path / f"run/version_{number}")
    assert Run(tmp_path / "run").folder.name == "version_10"


def test_rows_of_the_test_come_one_after_the_other(tmp_path: Path) -> None:
    rows = labeled(5)
    run = Run(make_run(tmp_path / "run/version_0", rows))
    assert list(run.tested()) == rows
    assert list(Run(make_run(tmp_path / "other/version_0")).tested()) == []


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no run folder"):
        Run(tmp_path)
    with pytest.raises(InputError, match="There is no run folder"):
        Run(tmp_path / "nowhere")
