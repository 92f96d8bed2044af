"""Weights & Biases."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import WandbLogger

from .tolerant import Tolerant
from .tracker import Place, Tracker, new_id, why_unreachable


class RunWandbLogger(Tolerant, WandbLogger):
    """Lightning's logger of Weights & Biases; its failures stop no training."""

    title = "Weights & Biases"


class WandbTracker(Tracker):
    """Weights & Biases: files of a run are an artifact of type `run`, its export one of type `model`."""

    title = "Weights & Biases"
    module = package = "wandb"
    offline_way = "logger: {name: wandb, offline: true}, and `wandb sync` later"
    reserved = ("experiment", "id", "version", "resume", "dir", "save_dir", "config", "reinit", "anonymous", "kwargs")

    def takers(self) -> list[Callable[..., Any]]:
        """Return Lightning's logger, and what it passes options on to."""
        import wandb

        return [WandbLogger.__init__, wandb.init]

    @property
    def mode(self) -> str:
        """`online`, `offline` or `disabled`."""
        asked = "offline" if self.choice.offline else self.choice.options.get("mode") or os.environ.get("WANDB_MODE")
        return {None: "online", "": "online", "run": "online", "dryrun": "offline"}.get(asked, str(asked))

    def check(self) -> None:
        """Raise an InputError where nobody is logged in, or the service is out of reach."""
        if self.mode in ("offline", "disabled"):
            return
        import wandb
        from requests.utils import get_netrc_auth  # as wandb itself reads what `wandb login` wrote

        settings = wandb.setup().settings
        named = (settings.api_key, os.environ.get("WANDB_API_KEY"), os.environ.get("WANDB_IDENTITY_TOKEN_FILE"))
        if not any(named) and get_netrc_auth(settings.base_url) is None:
            raise self.refuse("nobody is logged in on this machine: `wandb login`, or WANDB_API_KEY, would work")
        if why := why_unreachable(settings.base_url):
            raise self.refuse(why)

    def make(self, place: Place) -> Any:
        """Return Lightning's logger for a run."""
        options = {key: value for key, value in self.choice.options.items() if key not in ("mode", "settings")}
        # Its own handling of standard output would stand between the terminal and the progress bar.
        settings = {"console": "off", "silent": True, **(self.choice.options.get("settings") or {})}
        self.logger = RunWandbLogger(
            name=self.choice.run_name or place.name,
            project=self.choice.project or os.environ.get("WANDB_PROJECT") or self.project,
            save_dir=str(place.folder.absolute()),  # its service may work in another folder
            id=place.kept.get("id") or new_id(),
            group=self.choice.group or place.group,
            mode=self.mode,
            settings=settings,
            **options,
        )
        self.logger._wandb_init.pop("anonymous", None)  # which wandb warns of
        return self.logger

    def open(self) -> dict[str, Any]:
        """Begin the run, or go on with it."""
        import wandb

        if wandb.run is not None:  # of whoever runs this in Python; Lightning would write into it
            wandb.finish()
        run = self.logger.experiment
        return {"id": run.id, "url": run.url if self.mode == "online" else None, "mode": self.mode}

    def send(self, files: dict[str, Path]) -> None:
        """Send files as one artifact, and the export as another."""
        import wandb

        run = self.logger.experiment
        content = wandb.Artifact(f"run-{run.id}", type="run")
        for name, path in files.items():
            if path.is_dir():
                weights = wandb.Artifact(f"{name}-{run.id}", type="model")
                for file in sorted(p for p in path.rglob("*") if p.is_file()):  # `add_dir` speaks
                    weights.add_file(str(file), name=file.relative_to(path).as_posix())
                run.log_artifact(weights)
            else:
                content.add_file(str(path), name=name)
        run.log_artifact(content)

    def how_to_sync(self) -> str | None:
        """Return the command that sends an offline run."""
        folder = getattr(self.logger._experiment, "dir", None) if self.mode == "offline" else None
        return f"wandb sync {Path(folder).parent}" if folder else None

    def close(self, status: str) -> None:
        """End the run; waits until all is sent."""
        super().close(status)
        if self.logger._experiment is not None:
            self.logger.experiment.finish(exit_code=0 if status == "success" else 1)
