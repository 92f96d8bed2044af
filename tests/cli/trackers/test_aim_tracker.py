"""Aim, by a stand-in with the signatures of version 3.19: its package has no wheels for every machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment

RUNS: list[StandInRun] = []


class StandInRun:
    """`aim.Run`, as far as it is asked."""

    def __init__(self, run_hash: str | None) -> None:
        self.hash = run_hash or f"hash{len(RUNS)}"
        self.name: str | None = None
        self.values: dict[Any, Any] = {}
        self.tracked: list[tuple[str, int | None]] = []
        self.sent: dict[str, Path] = {}
        self.uri: str | None = None
        self.closed = False
        RUNS.append(self)

    @property
    def artifacts_uri(self) -> str:
        """As Aim's own: fails where none was set."""
        if self.uri is None:
            raise TypeError("join() argument must be str, bytes, or os.PathLike object, not 'NoneType'")
        return f"{self.uri}/{self.hash}"

    def set_artifacts_uri(self, uri: str) -> None:
        self.uri = uri

    def log_artifact(self, path: str, name: str | None = None, *, block: bool = False) -> None:
        assert self.artifacts_uri
        self.sent[str(name)] = Path(path)

    def log_artifacts(self, path: str, name: str | None = None, *, block: bool = False) -> None:
        for file in Path(path).rglob("*"):
            self.log_artifact(str(file), f"{name}/{file.relative_to(path)}", block=block)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.values[key] = value

    def close(self) -> None:
        self.closed = True


class AimLogger(Logger):
    """`aim.pytorch_lightning.AimLogger`: its options, and what it does with them."""

    def __init__(
        self,
        repo: str | None = None,
        experiment: str | None = None,
        train_metric_prefix: str | None = "train_",
        val_metric_prefix: str | None = "val_",
        test_metric_prefix: str | None = "test_",
        system_tracking_interval: int | None = 10,
        log_system_params: bool | None = True,
        capture_terminal_logs: bool | None = True,
        run_name: str | None = None,
        run_hash: str | None = None,
    ) -> None:
        super().__init__()
        self.repo, self.project, self.run_name, self.run_hash = repo, experiment, run_name, run_hash
        self.run: StandInRun | None = None

    @property
    @rank_zero_experiment
    def experiment(self) -> StandInRun:
        if self.run is None:
            self.run = StandInRun(self.run_hash)
            self.run_hash, self.run.name = self.run.hash, self.run_name
        return self.run

    def log_hyperparams(self, params: dict[str, Any]) -> None:  # type: ignore[override]
        self.experiment.values.update(params)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:  # type: ignore[override]
        self.experiment.tracked += [(name, step) for name in metrics]

    def finalize(self, status: str = "") -> None:
        if self.run:
            self.run.close()
            self.run = None

    @property
    def name(self) -> str | None:
        return self.project

    @property
    def version(self) -> str:
        return self.experiment.hash


@pytest.fixture(autouse=True)
def _aim(monkeypatch: pytest.MonkeyPatch) -> None:
    from pretune.cli.trackers import aim_tracker

    RUNS.clear()
    package, part = ModuleType("aim"), ModuleType("aim.pytorch_lightning")
    package.__spec__ = ModuleSpec("aim", None)
    part.AimLogger = AimLogger  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "aim", package)
    monkeypatch.setitem(sys.modules, "aim.pytorch_lightning", part)
    aim_tracker._logger_class.cache_clear()


def test_a_run_and_the_same_again(tracked: Callable[..., Any]) -> None:
    tracked("fit", "{name: aim, project: films}")
    (run,) = RUNS
    assert run.closed
    assert run.name == "mine/version_0"
    assert [step for name, step in run.tracked if name == "train/loss"] == [0, 1, 2, 3]
    assert run.values["model"]["class_path"].endswith("TextClassification")
    assert {"config.yaml", "summary.json", "curves.png", "export/model.safetensors"} <= set(run.sent)
    kept = json.loads(Path("runs/mine/version_0/trackers.json").read_text())["aim"]
    assert kept["repo"] == str(Path("runs").absolute())
    tracked("fit", "aim", "--ckpt_path=last", "--trainer.max_steps=6")
    assert [one.hash for one in RUNS] == [run.hash, run.hash]


def test_seeds_share_a_repository_and_a_group(tracked: Callable[..., Any]) -> None:
    tracked("fit", "{name: aim, export: false}", "--seeds=1,2")
    assert {one.values["group"] for one in RUNS if "group" in one.values} == {"mine"}
    assert {one.name for one in RUNS} == {"mine/seed_1/version_0", "mine/seed_2/version_0"}
    assert {str(one.uri) for one in RUNS if one.uri} == {Path("runs/aim_artifacts").absolute().as_uri()}


def test_an_option_that_there_is_not(fails: Callable[..., str], mine: Path) -> None:
    assert "aim has no option 'repos' (did you mean repo" in fails(
        "fit", "--config", mine, "--logger.name=aim", "--logger.repos=x"
    )
