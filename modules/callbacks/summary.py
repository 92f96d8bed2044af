"""The record of a run, which callbacks add what they found out to."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, Trainer


class Summary(Callback):
    """A record of a run; the command line's writes `summary.json`."""

    def add(self, trainer: Trainer, key: str, content: dict[str, Any] | list[Any]) -> None:
        """Put plain data under a key, in the place of what stood there."""
        raise NotImplementedError(f"{type(self).__name__} must define `add`.")

    def append(self, trainer: Trainer, key: str, entries: list[dict[str, Any]]) -> None:
        """Put plain data, each with its `step`, after what stands under a key and is of earlier steps."""
        raise NotImplementedError(f"{type(self).__name__} must define `append`.")


def append_to_summary(trainer: Trainer, key: str, entries: list[dict[str, Any]]) -> None:
    """Put plain data, each with its `step`, after what the record of a run has under a key, where one is kept."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, Summary):
            callback.append(trainer, key, entries)


def add_to_summary(trainer: Trainer, key: str, content: dict[str, Any] | list[Any]) -> None:
    """Put plain data into the record of a run, where one is kept."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, Summary):
            callback.add(trainer, key, content)
