"""The trackers of one command: begun before data are read, sent what a run leaves, and ended with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn

from ...errors import InputError, first_line
from ...storage.atomic_files import write_text
from .choice import Choice
from .group import current_group
from .tracker import Place, Tracker

KEPT = "trackers.json"
"""In the run folder: what finds a run in its trackers again."""
FILES = ("config.yaml", "summary.json", "curves.png", "report.html")


def _trackers(choices: Sequence[Choice]) -> list[Tracker]:
    from .aim_tracker import AimTracker
    from .comet_tracker import CometTracker
    from .mlflow_tracker import MLflowTracker
    from .wandb_tracker import WandbTracker

    kinds: dict[str, type[Tracker]] = {
        "wandb": WandbTracker,
        "mlflow": MLflowTracker,
        "comet": CometTracker,
        "aim": AimTracker,
    }
    return [kinds[choice.name](choice) for choice in choices]


class Tracking:
    """The trackers of one command.

    Args:
        choices: what the user asks for.

    Raises:
        InputError: if a package is missing, an option is none, or nothing could be sent.
    """

    def __init__(self, choices: Sequence[Choice]) -> None:
        self.trackers = _trackers(choices)
        for tracker in self.trackers:
            tracker.check()
        self.folder = Path()
        self._open: list[Tracker] = []

    def loggers(self, folder: Path, root: Path) -> list[Any]:
        """Return Lightning's loggers for a run.

        Args:
            folder: of the run, below the one of all runs.
            root: the folder of all runs.

        Raises:
            InputError: if one cannot be made.
        """
        self.folder = folder
        kept = read_kept(folder)
        group = current_group()
        runs = group.runs if group else root
        name = folder.relative_to(runs).as_posix() if folder.is_relative_to(runs) else folder.name
        place = Place(folder, runs, name, group.name if group else None)
        return [self._begin(t, t.make, replace(place, kept=kept.get(t.choice.name) or {})) for t in self.trackers]

    def begin(self, options: dict[str, Any] | None) -> None:
        """Begin the runs in the services, or go on with them; in the first process only.

        Args:
            options: the configuration; null where it was sent before.

        Raises:
            InputError: if a service refuses.
        """
        for tracker in self.trackers:
            self._open.append(tracker)
            notes = self._begin(tracker, tracker.open)
            self._keep(tracker.choice.name, notes)
            rank_zero_info(f"{tracker.title}: run {notes['id']}{_where(notes, self.folder)}.")
            if options is not None:
                tracker.send_options(options)

    def send(self) -> None:
        """Send what the run has left; what cannot be sent is told, and stops nothing."""
        for tracker in self._open:
            files = {name: path for name in FILES if (path := self.folder / name).is_file()}
            if tracker.choice.export and (self.folder / "export").is_dir():
                files["export"] = self.folder / "export"
            tracker.logger.failures = 0  # another chance, whatever became of the metrics
            sent = tracker.logger.attempt(" and ".join(files), tracker.send, files)
            self._keep(tracker.choice.name, {"sent": list(files) if sent else []})

    def close(self, status: str) -> None:
        """End the runs in the services.

        Args:
            status: `success` or `failed`.
        """
        for tracker in self._open:
            try:
                later = tracker.how_to_sync()
                tracker.close(status)
                if later:
                    rank_zero_info(f"{tracker.title}: written to this machine only; `{later}` sends it.")
            except Exception as error:
                rank_zero_warn(f"{tracker.title}: the run was not ended there ({_said(error)}).")
            if lost := tracker.logger.not_sent:
                self._keep(tracker.choice.name, {"not_sent": lost})
                rank_zero_warn(
                    f"{tracker.title} is INCOMPLETE: {lost} times, something could not be sent. {self.folder} holds "
                    "all of it; its exit code says that training itself went well or not."
                )
        self._open = []

    def _begin(self, tracker: Tracker, work: Callable[..., Any], *args: Any) -> Any:
        try:
            return work(*args)
        except InputError:
            raise
        except Exception as error:
            raise tracker.refuse(f"the run could not be begun ({_said(error).rstrip('.')})") from error

    def _keep(self, name: str, notes: dict[str, Any]) -> None:
        kept = read_kept(self.folder)
        kept[name] = {**kept.get(name, {}), **notes}
        if self.folder.is_dir():
            write_text(self.folder / KEPT, json.dumps(kept, indent=2) + "\n")


def read_kept(folder: Path) -> dict[str, Any]:
    """Return what the trackers of a run noted in its folder; empty where nothing can be read."""
    try:
        kept = json.loads((folder / KEPT).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {first_line(error)}"


def _where(notes: dict[str, Any], folder: Path) -> str:
    if notes.get("url"):
        return f", {notes['url']}"
    place = notes.get("tracking_uri") or notes.get("repo") or str(folder)
    return f", in {str(place).removeprefix('sqlite:///')}"
