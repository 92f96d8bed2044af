"""Comet."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CometLogger
from typing_extensions import override

from .tolerant import Tolerant
from .tracker import Place, Tracker, is_set, new_id, why_unreachable

QUIET = {"COMET_LOGGING_CONSOLE": "ERROR", "COMET_DISABLE_AUTO_LOGGING": "1"}
"""Before its package is imported: it would log what TensorBoard gets a second time, and tell of itself."""


class RunCometLogger(Tolerant, CometLogger):
    """Lightning's logger of Comet; its failures stop no training.

    Args:
        offline: write an archive in place of sending. Lightning's `online=False` switches logging off altogether.
        options: of Lightning's logger.
    """

    title = "Comet"

    def __init__(self, offline: bool, **options: Any) -> None:
        self._is_offline = offline
        super().__init__(**options)

    @override
    def _create_experiment(self) -> None:
        self._online = not self._is_offline
        super()._create_experiment()


class CometTracker(Tracker):
    """Comet: files and the export are assets of the experiment."""

    title = "Comet"
    module, package = "comet_ml", "comet-ml"
    offline_way = "logger: {name: comet, offline: true}, and `comet upload` later"
    reserved = ("experiment_key", "mode", "online", "disabled", "offline_directory", "api_key")

    @property
    def offline(self) -> bool:
        """Whether an archive is written."""
        return self.choice.offline or is_set("COMET_OFFLINE") or os.environ.get("COMET_START_ONLINE") == "0"

    def takers(self) -> list[Callable[..., Any]]:
        """Return Lightning's logger, and what it passes options on to."""
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        if self.offline:
            os.environ.setdefault("COMET_ERROR_TRACKING_ENABLE", "false")  # which goes over the network
        import comet_ml

        return [CometLogger.__init__, comet_ml.ExperimentConfig]

    def check(self) -> None:
        """Raise an InputError without a key, or where the service is out of reach."""
        if self.offline:
            return
        import comet_ml

        if not comet_ml.get_config("comet.api_key"):
            raise self.refuse("there is no key: `comet login`, or COMET_API_KEY, would work")
        if why := why_unreachable(os.environ.get("COMET_URL_OVERRIDE") or "https://www.comet.com"):
            raise self.refuse(why)

    def make(self, place: Place) -> Any:
        """Return Lightning's logger for a run; the experiment begins with it."""
        options = dict(self.choice.options)
        group = self.choice.group or place.group
        tags = [*(options.pop("tags", None) or []), *([group] if group else [])]
        if self.offline:
            options["offline_directory"] = str(place.folder / "comet")
        self.kept_key = place.kept.get("id")
        self.logger = RunCometLogger(
            offline=self.offline,
            project=self.choice.project or os.environ.get("COMET_PROJECT_NAME") or self.project,
            experiment_key=self.kept_key or new_id(32),
            mode="get_or_create" if not self.offline else "get" if self.kept_key else "create",
            name=self.choice.run_name or place.name,
            tags=tags,
            **{"display_summary_level": 0, "parse_args": False, "auto_output_logging": False, **options},
        )
        return self.logger

    def open(self) -> dict[str, Any]:
        """Return what finds the experiment again."""
        experiment = self.logger.experiment
        return {"id": experiment.get_key(), "url": None if self.offline else experiment.url}

    def send(self, files: dict[str, Path]) -> None:
        """Send files as assets."""
        experiment = self.logger.experiment
        for name, path in files.items():
            if path.is_dir():
                experiment.log_asset_folder(str(path), log_file_name=True, recursive=True)
            else:
                experiment.log_asset(str(path), file_name=name, overwrite=True)

    def how_to_sync(self) -> str | None:
        """Return the command that sends an offline experiment."""
        archive = Path(self.logger.save_dir or "", f"{self.logger.version}.zip")
        return f"comet upload {archive}" if self.offline else None

    def close(self, status: str) -> None:
        """End the experiment; waits until all is sent."""
        super().close(status)
        self.logger.experiment.end()
