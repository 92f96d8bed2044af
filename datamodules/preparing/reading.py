"""The documents of a portion, as `CorpusDataModule` would read them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from ...errors import InputError
from ...text.readers import read_documents
from ...text.readers.dividing import placed
from ...text.readers.parts import FilePart
from ..sources import Files, Hub
from .corpus import Corpus
from .plan import Portion, Unit, rows_of


def texts_of(corpus: Corpus, portion: Portion, skipped: Counter[str]) -> Iterator[str]:
    """Yield the texts of a portion, in order.

    Args:
        corpus: that it is of.
        portion: which.
        skipped: counts what holds no text, as `blank`.

    Raises:
        InputError: naming file and line.
    """
    for unit in portion.units:
        source = corpus.sources[portion.split][unit.source]
        if isinstance(source, Files):
            yield from _of_file(source, unit, skipped)
        elif isinstance(source, Hub):
            yield from _of_rows(source, portion.split, unit, skipped)
        else:
            yield from source.documents(portion.split, skipped)


def _of_file(source: Files, unit: Unit, skipped: Counter[str]) -> Iterator[str]:
    path = unit.file
    try:
        yield from read_documents(
            path,
            documents=source.documents_are,
            column=source.text_column,
            encoding=source.encoding,
            skipped=skipped,
        )
    except InputError as error:
        if isinstance(path, FilePart):
            raise placed(error, path) from error
        raise


def _of_rows(source: Hub, split: str, unit: Unit, skipped: Counter[str]) -> Iterator[str]:
    assert unit.stop is not None
    rows = _rows(source.dataset, source.subset, source.splits.get(split), split).select(range(unit.start, unit.stop))
    part = Hub(source.dataset, source.subset, {split: split}, source.text_column, {split: rows})
    try:
        yield from part.documents(split, skipped)
    except InputError as error:
        told = re.sub(r"( row )(\d+)", lambda found: f"{found[1]}{int(found[2]) + unit.start}", str(error))
        raise InputError(told) from error


@lru_cache(maxsize=2)
def _rows(dataset: str, subset: str | None, name: str | None, split: str) -> Any:
    return rows_of(Hub(dataset, subset, {split: name}), split)
