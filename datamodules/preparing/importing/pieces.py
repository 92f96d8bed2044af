"""How token files are divided: into pieces, each of which leaves a shard, and those into documents."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .token_file import TokenFile

AT_ONCE = 1 << 20
"""Ids that are looked at at a time."""


@dataclass(frozen=True)
class Piece:
    """Whole documents of one file.

    Args:
        file: that they lie in.
        number: of the piece within its split.
        begin: the first id.
        end: the one after the last.
        documents: the first document and the one after the last, where the file's index knows them.
        is_divided: whether a token tells where documents end; without one and without an index, the piece is one.
    """

    file: TokenFile
    number: int
    begin: int
    end: int
    documents: tuple[int, int] | None = None
    is_divided: bool = True

    def ends(self, mark: int | None) -> np.ndarray:
        """Return where its documents end, (documents,) int64, counted from the file's first id.

        Args:
            mark: the id that documents end with.
        """
        if self.documents is not None:
            assert self.file.ends is not None
            return self.file.ends.between(*self.documents)
        if not self.is_divided or mark is None:
            return np.array([self.end], np.int64)
        found = [np.flatnonzero(ids == mark) + place + 1 for place, ids in _windows(self.file, self.begin, self.end)]
        ends = np.concatenate([*found, np.zeros(0, np.int64)]).astype(np.int64)
        return ends if len(ends) and ends[-1] == self.end else np.append(ends, self.end)


def pieces_of(files: list[TokenFile], mark: int | None, size: int) -> list[Piece]:
    """Return the pieces of files, in order: a function of what the files hold.

    Args:
        files: in order.
        mark: the id that documents end with, where the files themselves do not know.
        size: bytes in a piece, about: the document that begins in it goes with it to its end.
    """
    pieces: list[Piece] = []
    numbers: dict[str, int] = {}
    for file in files:
        for begin, end, documents, is_divided in _borders(file, mark, max(1, size // file.dtype.itemsize)):
            number = numbers[file.split] = numbers.get(file.split, -1) + 1
            pieces.append(Piece(file, number, begin, end, documents, is_divided))
    return pieces


def _borders(file: TokenFile, mark: int | None, most: int) -> Iterator[tuple[int, int, tuple[int, int] | None, bool]]:
    if file.ends is not None:
        first = begin = 0
        while first < len(file.ends):
            last = min(bisect_left(file.ends, begin + most, lo=first) + 1, len(file.ends))
            end = file.ends[last - 1]
            yield begin, end, (first, last), True
            first, begin = last, end
        return
    is_divided = mark is not None and _after_mark(file, mark, 0) is not None
    begin = 0
    while begin < file.count:
        end = min(begin + most, file.count)
        if is_divided and end < file.count:
            assert mark is not None
            end = _after_mark(file, mark, end - 1) or file.count
        yield begin, end, None, is_divided
        begin = end


def _after_mark(file: TokenFile, mark: int, begin: int) -> int | None:
    """Return the place after the first mark from a place on; None where there is none."""
    for place, ids in _windows(file, begin, file.count):
        found = ids == mark
        if found.any():
            return place + int(found.argmax()) + 1
    return None


def _windows(file: TokenFile, begin: int, end: int) -> Iterator[tuple[int, np.ndarray]]:
    for place in range(begin, end, AT_ONCE):
        yield place, file.ids[place : min(place + AT_ONCE, end)]
