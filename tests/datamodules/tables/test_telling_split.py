"""Which split tells what all rows have in common."""

from __future__ import annotations

from pathlib import Path

import pytest

from pretune.datamodules.sources import Files
from pretune.datamodules.tables.telling_split import telling_split
from pretune.errors import MissingFileError


def test_the_first_that_is_there() -> None:
    for name in ("train.csv", "test.csv"):
        Path(name).write_text("a\n1\n")
    assert telling_split(Files({"train": "train.csv", "test": "test.csv"})) == "train"
    assert telling_split(Files({"train": "gone.csv", "test": "test.csv"})) == "test"
    assert telling_split(Files({"train": "*.tsv", "validation": None, "test": "test.csv"})) == "test"
    assert telling_split(Files({"train": None})) is None
    with pytest.raises(MissingFileError, match=r"There is no file gone\.csv"):
        telling_split(Files({"train": "gone.csv", "test": "also gone.csv"}))
