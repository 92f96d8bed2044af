"""The documents that cleaning leaves, with their places in the source, as often as they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...text.cleaning import Cleaning
from ..sources import Source


@dataclass(frozen=True)
class Passes:
    """Reads a split of a source, one document at a time.

    Args:
        source: that is read.
        split: of it.
        cleaning: which documents are left out.
    """

    source: Source
    split: str
    cleaning: Cleaning | None

    def first(self, skipped: Counter[str]) -> Iterator[tuple[int, str]]:
        """Yield what cleaning leaves, each with its place among all documents.

        Args:
            skipped: counts what is left out, by its reason.
        """
        return _numbered(enumerate(self.source.documents(self.split, skipped)), self.cleaning, skipped)

    def again(self, stays: np.ndarray) -> Iterator[tuple[int, str]]:
        """Yield some of the documents that cleaning has left, as it leaves them.

        Args:
            stays: (documents,), whether each is wanted, up to the last one that is; none that cleaning has left out.
        """
        # Copies are known by now; looking for them among fewer documents would find other ones.
        cleaning = self.cleaning and replace(self.cleaning, exact_duplicates=False, near_duplicates=None)
        documents = enumerate(zip(self.source.documents(self.split, Counter()), stays, strict=False))
        return _numbered(((place, text) for place, (text, wanted) in documents if wanted), cleaning, Counter())


def _numbered(
    documents: Iterator[tuple[int, str]], cleaning: Cleaning | None, skipped: Counter[str]
) -> Iterator[tuple[int, str]]:
    if cleaning is None:
        yield from documents
        return
    place = -1

    def texts() -> Iterator[str]:
        nonlocal place
        for place, text in documents:  # noqa: B007
            yield text

    for text in cleaning.clean(texts(), skipped):  # which takes one text at a time
        yield place, text
