"""Which split tells what all rows have in common, such as the scheme of their tags."""

from __future__ import annotations

from typing import Literal

from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ...errors import MissingFileError
from ..sources import Source

SPLITS: tuple[Literal["train", "validation", "test"], ...] = ("train", "validation", "test")


def telling_split(source: Source, needed: bool = True) -> Literal["train", "validation", "test"] | None:
    """Return the first split whose files are there, and None where there is no split.

    What a model was trained on need not be there any more when it is tested: the test set speaks for itself then.

    Args:
        source: of the splits.
        needed: whether nothing else could tell.

    Raises:
        MissingFileError: if there are splits, and the files of none of them are there, where one is needed.
    """
    missing: MissingFileError | None = None
    for split in SPLITS:
        if not source.has(split):
            continue
        try:
            source.name(split)
        except MissingFileError as error:
            missing = missing or error
            continue
        return split
    if missing is not None and needed:
        raise missing
    return None


def say_who_tells(what: str, split: str, source: Source) -> None:
    """Say that something is found in another split than usual, as the usual one's files are not there.

    Args:
        what: is found.
        split: that tells.
        source: of the splits.
    """
    usual = next(name for name in SPLITS if source.has(name))
    if split != usual:
        rank_zero_info(f"The files of data.{usual}_files are not there: {what} is found in {source.name(split)}.")
