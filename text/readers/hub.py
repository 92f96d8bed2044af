"""Data sets of the Hugging Face Hub by name, or local folders of the same shape."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

from ...errors import InputError, first_line
from ..hub_access import access, explain
from .hub_cache import commit_of, read_cached
from .identity import fingerprint

CONVERTED = "refs/convert/parquet"
"""The branch in which the Hub keeps the rows of a data set as parquet, whatever they come as."""

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
    if os.path.isfile(dataset):
        raise InputError(f"The data set {dataset!r} cannot be loaded: it is a file, which data.train_files would read.")

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
        return _of_the_hub(dataset, subset)
    except Exception as error:  # what is wrong within its records comes as whatever it leads to
        # What went wrong while a file was read is only in the cause.
        generating = isinstance(error, datasets.exceptions.DatasetGenerationError)
        name, _, revision = dataset.partition("@")
        of_hub = None if os.path.isdir(dataset) else explain(error, name, revision or None, "dataset")
        of_hub = str(error) if isinstance(error, InputError) and of_hub is None else of_hub
        why = of_hub or first_line(error.__cause__ if generating and error.__cause__ else error)
        if unknown := re.match(r"BuilderConfig ('.*') not found. Available: \[(.*)\]", why):
            why = f"the subset {unknown[1]} is not found; data.subset may be: {unknown[2].replace(chr(39), '')}"
        parquet = f"{name}@{CONVERTED} may have its rows. " if "no longer supported" in why else ""
        cure = "A" if of_hub else "Check the name and the network, or give a"
        raise InputError(
            f"The data set {dataset!r}{f' ({subset})' if subset else ''} cannot be loaded: {why.rstrip('.')}. {parquet}"
            f"{cure} local folder, or data.train_files{' would work' if of_hub else ''}."
        ) from error


def _of_the_hub(dataset: str, subset: str | None) -> dict[str, Any]:
    """Return the splits of a data set of the Hub, or of what the cache has of it where the Hub does not answer."""
    import datasets

    name, _, revision = dataset.partition("@")
    found = access(name, revision or None, "dataset")
    if found.is_cached:
        return read_cached(name, subset, revision or None, found)
    loaded = dict(datasets.load_dataset(name, subset, revision=revision or None))
    # Whatever goes wrong in between, `datasets` takes what it has read last of the set, of whichever commit.
    commits = {commit_of(split) for split in loaded.values()} - {None}
    if found.commit is None or commits <= {found.commit}:
        return loaded
    newest = access(name, revision or None, "dataset").commit  # somebody may have changed it just now
    if newest is None or commits <= {newest}:
        return loaded
    raise InputError(
        f"its files could not be read to their end, and the cache holds another commit ({commits.pop()}) than "
        f"{revision or 'main'}, which is {newest}: try again"
    )


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
