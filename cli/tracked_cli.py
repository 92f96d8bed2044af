"""A command line whose runs are shown to the trackers of `logger:`, beside what lies in the run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch import Trainer
from typing_extensions import override

from ..storage.paths import local_folder
from .callbacks.save_config import dumped
from .checked_cli import CheckedCLI
from .parser import as_plain
from .trackers import Tracking, chosen_trackers


class TrackedCLI(CheckedCLI):
    """Begins a run in each tracker before data are read, sends what the run leaves, and ends it with the command."""

    tracked: bool = True
    """Whether the command's runs are for others to see."""
    _tracking: Tracking | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        done = False
        try:
            super().__init__(*args, **options)
            done = True
        finally:
            if self._tracking is not None:
                self._tracking.close("success" if done else "failed")

    @override
    def before_instantiate_classes(self) -> None:
        super().before_instantiate_classes()
        config = self.config[self.subcommand]
        choices = chosen_trackers(as_plain(config.logger))
        if choices and self.writes and self.tracked and self.subcommand != "predict":
            self._tracking = None if config.trainer.fast_dev_run else Tracking(choices)

    @override
    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        if self._tracking is not None:
            config = self._get(self.config_init, "trainer")
            own = kwargs.get("logger", config.logger) or []  # `trainer.logger: false` leaves ours out
            root = Path(local_folder(config.default_root_dir or "runs", "trainer.default_root_dir"))
            trackers = self._tracking.loggers(self.run.folder, root)
            kwargs["logger"] = [*(own if isinstance(own, list) else [own]), *trackers]
        return super().instantiate_trainer(**kwargs)

    @override
    def after_instantiate_classes(self) -> None:
        super().after_instantiate_classes()
        if self._tracking is None or not self.trainer.is_global_zero:
            return
        config = yaml.safe_load(dumped(self._parser(self.subcommand), self.config[self.subcommand]))
        options = {key: value for key, value in config.items() if key != "logger"}
        self._tracking.begin(options if self.subcommand == "fit" else None)

    @override
    def _run_subcommand(self, subcommand: str) -> None:
        super()._run_subcommand(subcommand)
        if self._tracking is not None:
            self._tracking.send()
