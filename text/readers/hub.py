"""Data sets of the Hugging Face Hub by name, or local folders of the same shape."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ...errors import InputError, first_line
from .identity import fingerprint

SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev", "validation_matched"),
    "test": ("test", "testing"),
}


def load_hub(dataset: str, subset: str | None = None) -> dict[str, Any]:
    """Return the splits of a data set by name; code that comes with a data set is never run.

    Args:
        dataset: a hub id, a folder of data files, or one written by `save_to_disk` (a single data set is `train`). An
            id may end in `@` and a branch, tag or commit; data sets that come as code have their rows in the branch
            `refs/convert/parquet`.
        subset: the configuration's name.

    Raises:
        InputError: if it cannot be had.
    """
    dataset = os.path.expanduser(dataset)
    if dataset.startswith((".", os.sep)) and not os.path.isdir(dataset):
        raise InputError(f"The data set {dataset!r} cannot be loaded: there is no folder {os.path.abspath(dataset)}.")

    import datasets  # costs a second, which only who uses the Hub pays

    if subset and os.path.isdir(os.path.join(dataset, subset)):  # a local folder with a folder for each subset
        dataset, subset = os.path.join(dataset, subset), None
    try:
        if os.path.exists(os.path.join(dataset, "dataset_dict.json")):
            return dict(datasets.load_from_disk(dataset))
        if os.path.exists(os.path.join(dataset, "state.json")):
            return {"train": datasets.load_from_disk(dataset)}
        if os.path.isdir(dataset):
            # `datasets` knows its files by their time alone, and would give the rows that it has kept.
            place = os.path.join(datasets.config.HF_DATASETS_CACHE, "by_content", str(content_of(dataset)))
            return dict(datasets.load_dataset(dataset, subset, cache_dir=place))
        name, _, revision = dataset.partition("@")
        return dict(datasets.load_dataset(name, subset, revision=revision or None))
    except Exception as error:  # what is wrong within its records comes as whatever it leads to
        # What went wrong while a file was read is only in the cause.
        generating = isinstance(error, datasets.exceptions.DatasetGenerationError)
        why = first_line(error.__cause__ if generating and error.__cause__ else error).rstrip(".")
        parquet = f"{dataset}@refs/convert/parquet may have its rows. " if "no longer supported" in why else ""
        raise InputError(
            f"The data set {dataset!r}{f' ({subset})' if subset else ''} cannot be loaded: {why}. {parquet}Check the "
            "name and the network, or give a local folder, or data.train_files."
        ) from error


def refuse_damaged(name: str, data: Any) -> None:
    """Look through a split of a data set before it is read: wrong offsets would end the process.

    Args:
        name: of the split, for the message.
        data: of `datasets`.

    Raises:
        InputError: if its arrow data are damaged, or hold texts that are not UTF-8.
    """
    import pyarrow as pa

    try:
        for batch in data.data.table.to_batches():
            batch.validate(full=True)
    except pa.ArrowException as error:
        raise InputError(
            f"The data set {name} is damaged, or not in UTF-8: {first_line(error).rstrip('.')}."
        ) from error


def content_of(folder: str) -> str | None:
    """Return a hash of all files in a local folder; None where it is no folder, but a name on the Hub."""
    folder = os.path.expanduser(folder)
    if not os.path.isdir(folder):
        return None
    import datasets
    import xxhash

    paths = [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]
    known = repr(fingerprint(sorted(paths), str(datasets.config.HF_DATASETS_CACHE)))
    return xxhash.xxh3_128_hexdigest(known.encode("utf-8", "surrogateescape"))


def pick_split(splits: Iterable[str], wanted: str | None, kind: str) -> str | None:
    """Return the name of the train, validation or test split.

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
    return next((name for name in SPLIT_NAMES[kind] if name in names), None)
