"""Aim, in a repository beside the runs or on a server."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from .tolerant import Tolerant
from .tracker import Place, Tracker


@lru_cache(maxsize=1)
def _logger_class() -> Any:
    from aim.pytorch_lightning import AimLogger  # its package has it, not Lightning

    class RunAimLogger(Tolerant, AimLogger):
        """Aim's logger for Lightning; its failures stop no training."""

        title = "Aim"

    return RunAimLogger


class AimTracker(Tracker):
    """Aim: in the repository of `repo` or AIM_REPO, else in `.aim` in the folder of all runs."""

    title = "Aim"
    module = package = "aim"
    offline_way = "logger: {name: aim, offline: true} writes into .aim in the folder of all runs"
    reserved = ("experiment", "run_hash")

    def takers(self) -> list[Callable[..., Any]]:
        """Return Aim's logger."""
        from aim.pytorch_lightning import AimLogger

        return [AimLogger.__init__]

    def check(self) -> None:
        """Do nothing: Aim asks for no credentials, and says itself where it cannot write."""

    def make(self, place: Place) -> Any:
        """Return Aim's logger for a run."""
        options = dict(self.choice.options)
        runs = str(place.runs.absolute())
        repo = runs if self.choice.offline else options.pop("repo", None) or os.environ.get("AIM_REPO") or runs
        self.group, self.artifacts = self.choice.group or place.group, Path(runs, "aim_artifacts")
        kept = place.kept.get("id") if place.kept.get("repo") == repo else None
        self.repo = repo
        self.logger = _logger_class()(
            repo=repo,
            experiment=self.project,
            run_name=self.choice.run_name or place.name,
            run_hash=kept,
            **options,
        )
        return self.logger

    def open(self) -> dict[str, Any]:
        """Begin the run, or go on with it."""
        run = self.logger.experiment
        if self.group:
            run["group"] = self.group
        return {"id": run.hash, "repo": self.repo}

    def send(self, files: dict[str, Path]) -> None:
        """Copy files to where Aim keeps artifacts."""
        run = self.logger.experiment
        self.artifacts.mkdir(exist_ok=True)
        run.set_artifacts_uri(self.artifacts.as_uri())
        for name, path in files.items():
            if path.is_dir():
                run.log_artifacts(str(path), name)
            else:
                run.log_artifact(str(path), name)
