"""Processes that something else than Lightning starts side by side."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from lightning_utilities.core.rank_zero import rank_zero_only

from pretune.cli import launch
from pretune.errors import InputError


def as_rank(rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_calls", count())
    monkeypatch.setenv("SLURM_PROCID", str(rank))


def refuse() -> Any:
    raise InputError("there is no such checkpoint")


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "2", "SLURM_STEP_ID": "0"}.items():
        monkeypatch.setenv(name, value)


def test_the_first_task_chooses_for_all(job: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_rank(0, monkeypatch)
    choice = {"folder": "runs/a/version_3", "checkpoint": ""}
    assert launch.agree(tmp_path, lambda: choice) == (choice, tmp_path / ".job-7.0.0.0.json")
    as_rank(1, monkeypatch)
    assert launch.agree(tmp_path, refuse) == (choice, None)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")  # what an earlier start chose is none of this one's
    monkeypatch.setattr(launch, "PATIENCE", 0.1)
    as_rank(1, monkeypatch)
    with pytest.raises(InputError, match=r"did not choose a run folder within 0 s"):
        launch.agree(tmp_path, refuse)


def test_what_is_wrong_is_said_by_all(job: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for rank in range(2):
        as_rank(rank, monkeypatch)
        with pytest.raises(InputError, match="there is no such checkpoint"):
            launch.agree(tmp_path, refuse)


def test_machines_that_are_told_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MASTER_ADDR": "host", "MASTER_PORT": "29500", "NODE_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(launch, "PATIENCE", 0.1)
    monkeypatch.setattr(launch, "_calls", count())
    note = tmp_path / ".job-host-29500.0.json"
    note.write_text('{"folder": "a"}')
    assert launch.rank() == 1
    assert launch.agree(tmp_path, refuse)[0] == {"folder": "a"}
    old = time.time() - 2 * launch.RECENT
    os.utime(note, (old, old))
    monkeypatch.setattr(launch, "_calls", count())
    with pytest.raises(InputError, match="did not choose"):
        launch.agree(tmp_path, refuse)


def test_a_process_alone_chooses(tmp_path: Path) -> None:
    assert launch.rank() == 0
    assert not launch.is_launched()
    assert launch.agree(tmp_path, lambda: {"folder": "a"}) == ({"folder": "a"}, None)
    assert not list(tmp_path.glob(".job*"))


@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK", "SLURM_PROCID"])
def test_a_stray_rank_takes_nothing_away(
    name: str, reviews: Path, tiny: dict[str, Any], run: Callable[..., Any], tokenizer_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv(name, "1")
    monkeypatch.setattr(rank_zero_only, "rank", 1)  # as Lightning finds it when it is imported
    with pytest.warns(UserWarning, match=f"{name} says that this is process 1, and it trains alone"):
        cli = run(
            "fit", "--model=TextClassification", f"--model.backbone={json.dumps({'config': tiny})}",
            "--data=TextClassificationDataModule", f"--data.train_files={reviews}", "--data.text_column=review",
            "--data.label_column=stars", f"--data.tokenizer={tokenizer_folder}", "--trainer.max_steps=2", "--name=one",
        )  # fmt: skip
    assert rank_zero_only.rank == 0
    assert "val/loss" in Path(cli.run.folder, "metrics.csv").read_text()


def test_tasks_that_slurm_does_not_count_by_node(
    reviews: Path, encoder: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm = {"SLURM_JOB_ID": "5", "SLURM_NTASKS": "2", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}
    for name, value in {**slurm, "SLURM_JOB_NAME": "x"}.items():
        monkeypatch.setenv(name, value)
    message = fails(
        "fit", "--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule",
        f"--data.train_files={reviews}", "--data.text_column=review", "--data.label_column=stars",
        "--trainer.accelerator=cpu",
    )  # fmt: skip
    assert "--ntasks-per-node=2" in message
