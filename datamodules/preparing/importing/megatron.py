"""Megatron-LM's `.bin` and `.idx` (https://github.com/NVIDIA/Megatron-LM, megatron/core/datasets/indexed_dataset.py).

`.idx` has a magic of 9 bytes, a version (uint64: 1), the code of the ids' type (uint8), the number of sequences and the
number of document indices (uint64 each), of each sequence its length in ids (int32) and its place in bytes (int64), and
the sequences with which documents begin, with the one after the last at the end (int64). `.bin` has the ids alone.
"""

from __future__ import annotations

import os
import struct

import numpy as np

from ....errors import InputError
from .token_file import TokenFile, read_start, size_of

MAGIC = b"MMIDIDX\x00\x00"
VERSION = 1
HEADER = struct.Struct("<9sQBQQ")
DTYPES = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 8: "<u2"}
"""By code; 6 and 7 are float64 and float32, which hold no ids."""
TAIL = "no document of its index holds"
AT_ONCE = 1 << 20
"""Entries of an index that are compared at a time."""


class DocumentEnds:
    """Where each document ends, in ids, out of an index that stays on the disk.

    Args:
        documents: (documents + 1,), the sequences with which they begin.
        pointers: (sequences,), where each sequence begins, in bytes.
        width: bytes of an id.
        total: ids of all sequences.
    """

    def __init__(self, documents: np.ndarray, pointers: np.ndarray, width: int, total: int) -> None:
        self.documents, self.pointers, self.width, self.total = documents, pointers, width, total

    def __len__(self) -> int:
        return len(self.documents) - 1

    def __getitem__(self, document: int) -> int:
        """Return where one document ends."""
        return int(self.between(document, document + 1)[0])

    def between(self, first: int, last: int) -> np.ndarray:
        """Return where documents end, (documents,) int64, from one on, and without the last."""
        following = np.asarray(self.documents[first + 1 : last + 1], np.int64)
        ends = np.full(len(following), self.total, np.int64)
        inside = following < len(self.pointers)
        ends[inside] = self.pointers[following[inside]] // self.width
        return ends


def find(paths: list[str]) -> list[TokenFile]:
    """Return the data sets that paths name, by `.bin`, by `.idx`, or by what is before both.

    Raises:
        InputError: if one is not what Megatron-LM writes.
    """
    stems = dict.fromkeys(path[:-4] if path.endswith((".bin", ".idx")) else path for path in paths)
    return [_file(stem) for stem in stems]


def _file(stem: str) -> TokenFile:
    index, path = f"{stem}.idx", f"{stem}.bin"
    size, present = size_of(index), size_of(path)
    start = read_start(index, HEADER.size)
    if not start.startswith(MAGIC):
        raise InputError(f"{index} is no index of Megatron-LM's: it does not begin with {MAGIC[:7].decode()}.")
    if len(start) < HEADER.size:
        raise InputError(f"{index} is cut off within its header.")
    _, version, code, sequences, documents = HEADER.unpack(start)
    if version != VERSION:
        raise InputError(f"{index} is of version {version}; {VERSION} is read here.")
    if code not in DTYPES:
        raise InputError(f"{index} says that its ids are of type {code}, which is no type of whole numbers.")
    expected = HEADER.size + 12 * sequences + 8 * documents
    if size == expected + sequences and sequences:
        raise InputError(f"{index} has a mode for each sequence: data of several modes are not read here.")
    if size != expected or not documents:
        raise InputError(
            f"{index} is damaged: of {sequences:,} sequences and {documents:,} document indices it would have "
            f"{expected:,} bytes, and it has {size:,}."
        )
    dtype = np.dtype(DTYPES[code])
    lengths = _mapped(index, "<i4", HEADER.size, sequences)
    pointers = _mapped(index, "<i8", HEADER.size + 4 * sequences, sequences)
    starts = _mapped(index, "<i8", HEADER.size + 12 * sequences, documents)
    total = _check_sequences(index, lengths, pointers, dtype.itemsize)
    if total * dtype.itemsize > present:
        raise InputError(
            f"{path} is cut off: {os.path.basename(index)} tells of {total * dtype.itemsize:,} bytes, and it has "
            f"{present:,}."
        )
    _check_documents(index, starts, sequences)
    ends = DocumentEnds(starts, pointers, dtype.itemsize, total)
    count = ends[len(ends) - 1] if len(ends) else 0
    return TokenFile(path, "train", dtype, 0, count, present - count * dtype.itemsize, TAIL, ends, index)


def _mapped(path: str, dtype: str, offset: int, count: int) -> np.ndarray:
    return np.memmap(path, np.dtype(dtype), "r", offset, (count,)) if count else np.zeros(0, dtype)


def _check_sequences(index: str, lengths: np.ndarray, pointers: np.ndarray, width: int) -> int:
    """Return how many ids all sequences have; refuse those that do not lie one after the other."""
    total = 0
    for first in range(0, len(lengths), AT_ONCE):
        own = lengths[first : first + AT_ONCE].astype(np.int64)
        begins = total + np.cumsum(own) - own
        wrong = np.flatnonzero((own < 0) | (pointers[first : first + AT_ONCE] != begins * width))
        if len(wrong):
            raise InputError(
                f"{index} is damaged: sequence {first + wrong[0]:,} does not begin where the one before it ends."
            )
        total += int(own.sum())
    return total


def _check_documents(index: str, starts: np.ndarray, sequences: int) -> None:
    last = 0
    for first in range(0, len(starts), AT_ONCE):
        own = starts[first : first + AT_ONCE]
        if (first == 0 and own[0] != 0) or (np.diff(own, prepend=last) < 0).any() or own[-1] > sequences:
            raise InputError(f"{index} is damaged: its documents do not follow one another from sequence 0 on.")
        last = int(own[-1])
