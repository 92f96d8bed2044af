"""Ids in a file of another tool, mapped into memory: where they begin, how many there are, and what is left over."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from ....errors import InputError


class Ends(Protocol):
    """Where each document of a file ends, in ids, in order."""

    def __len__(self) -> int: ...

    def __getitem__(self, document: int, /) -> int: ...

    def between(self, first: int, last: int) -> np.ndarray:
        """Return where documents end, (documents,) int64, from one on, and without the last."""


@dataclass(frozen=True)
class TokenFile:
    """Ids of one type, one after the other.

    Args:
        path: of the file.
        split: `train` or `validation`.
        dtype: of the ids, little-endian.
        offset: bytes before the first.
        count: how many ids.
        left_over: bytes behind the last.
        tail: what these are, in words that follow "which".
        ends: where each document ends, in ids, in order; None where only the ids themselves can tell.
        index: the file beside it that says so.
    """

    path: str
    split: str
    dtype: np.dtype
    offset: int
    count: int
    left_over: int
    tail: str
    ends: Ends | None = None
    index: str | None = None

    @cached_property
    def ids(self) -> np.ndarray:
        """All of them, (count,)."""
        if not self.count:
            return np.zeros(0, self.dtype)
        return np.memmap(self.path, self.dtype, "r", self.offset, (self.count,))

    @property
    def name(self) -> str:
        """Its name without the folder."""
        return os.path.basename(self.path)


def size_of(path: str) -> int:
    """Return how many bytes a file has.

    Raises:
        InputError: if it is not there.
    """
    try:
        return os.stat(path).st_size
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def read_start(path: str, count: int) -> bytes:
    """Return the first bytes of a file.

    Raises:
        InputError: if it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return file.read(count)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
