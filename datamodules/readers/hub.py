"""Data sets of the Hugging Face Hub by name, or local folders of the same shape."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ...errors import InputError, first_line

NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "validation_matched"),
    "test": ("test", "testing"),
}


def load_hub(dataset: str, subset: str | None = None) -> dict[str, Any]:
    """The splits of a data set by name; code that comes with a data set is never run.

    Args:
        dataset: a hub id, a folder of data files, or one written by `save_to_disk`.
        subset: the configuration's name.

    Raises:
        InputError: if it cannot be had.
    """
    import datasets  # costs a second, which only who uses the Hub pays

    try:
        if os.path.exists(os.path.join(dataset, "dataset_dict.json")):
            return dict(datasets.load_from_disk(dataset))
        return dict(datasets.load_dataset(dataset, subset))
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise InputError(
            f"The data set {dataset!r}{f' ({subset})' if subset else ''} cannot be loaded: {first_line(error)} Check the "
            "name and the network, or give a local folder, or data.train_files."
        ) from error


def pick_split(splits: Iterable[str], wanted: str | None, kind: str) -> str | None:
    """The name of the train, validation or test split.

    Args:
        splits: the names there are.
        wanted: the user's choice, or None to go by the usual names.
        kind: `train`, `validation` or `test`.

    Raises:
        InputError: if the user's choice does not exist.
    """
    names = list(splits)
    if wanted is not None:
        if wanted not in names:
            raise InputError(f"data.splits.{kind} is {wanted!r}; the data set has: {', '.join(names)}.")
        return wanted
    return next((name for name in NAMES[kind] if name in names), None)
