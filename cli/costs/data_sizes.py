"""What a run is fed: rows and labels of each split, tokens of running text."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ...contracts import DataFacts, files_of

SPLITS = ("train", "validation")


def data_sizes(data: DataFacts) -> dict[str, Any]:
    """Return of each split its files, rows, label counts and token counts, as far as the data say; plain data.

    Args:
        data: set up for training.
    """
    found: dict[str, Any] = {}
    for split in SPLITS:
        facts: dict[str, Any] = {}
        if (files := files_of(data, split)) is not None:
            facts["files"] = files
        with suppress(AttributeError, KeyError, TypeError, IndexError):
            facts["rows"] = len(data.datasets[split])  # type: ignore[attr-defined]
        with suppress(AttributeError, KeyError, TypeError):
            if labels := data.occurrences(split):
                facts["labels"] = labels
        if counts := data.counts.get(split):
            facts.update({name: int(value) for name, value in counts.items()})
        if facts:
            found[split] = facts
    return found
