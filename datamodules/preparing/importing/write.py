"""The documents of a piece, written as a shard of each split that they go to."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

import numpy as np

from ....storage.cache import TokenWriter
from ....storage.folders import Folder
from ..shards import COUNTS, file_facts, place_for
from .documents import Document, Reading
from .pieces import Piece

AT_ONCE = 1 << 20
"""Ids that are joined before they are written."""


def write_piece(reading: Reading, piece: Piece, fraction: float, output: Folder) -> dict[str, Any]:
    """Write the shards of a piece.

    Args:
        reading: reads its documents.
        piece: which.
        fraction: share of the documents that is held out, by content alone.
        output: where to.

    Returns:
        `splits`: of each its counts, and under `files` size and hash of each file, none where it got no document;
        `empty`: documents without an id; `added`: documents that got the separator here.

    Raises:
        InputError: if an id is not in the vocabulary.
    """
    bound = min(int(fraction * 2.0**64), 2**64 - 1)
    splits = ["train", "validation"] if fraction else [piece.file.split]
    totals = {split: Counter[str]() for split in splits}
    empty = added = 0
    with place_for(output) as place:
        vocabulary = len(reading.tokenizer)
        writers = {split: _Writer(TokenWriter(place, vocabulary, f"{split}-{piece.number:05d}")) for split in splits}
        for document in reading.documents(piece):
            if document is None:
                empty += 1
                continue
            split = splits[-1] if fraction and document.hash < bound else splits[0]
            tokens = writers[split].write(reading, piece, document)
            added += reading.separator is not None and not document.is_ended
            totals[split].update(
                documents=1, tokens=tokens, words=document.words, bytes=document.bytes, unknown=document.unknown
            )
        facts: dict[str, Any] = {}
        for split, writer in writers.items():
            writer.close()
            name = writer.to.name
            (place / f"{name}.dtype").unlink()
            files = sorted(place.glob(f"{name}.*")) if totals[split]["documents"] else []
            facts[split] = {what: totals[split][what] for what in COUNTS}
            facts[split]["files"] = {file.name: file_facts(file) for file in files}
            for file in files:
                output.take(file.name, file)
    return {"splits": facts, "empty": empty, "added": added}


class _Writer:
    """Joins small documents before they are written, and writes long ones part by part."""

    def __init__(self, to: TokenWriter) -> None:
        self.to = to
        self.waiting: list[np.ndarray] = []
        self.lengths: list[int] = []
        self.size = self.since = 0
        """Ids that wait, and those of them that came since a document ended."""

    def write(self, reading: Reading, piece: Piece, document: Document) -> int:
        """Write one, with the separator, and return how many tokens it has."""
        tokens = 0
        end = [] if reading.separator is None else [np.array([reading.separator], np.uint32)]
        for ids in chain(reading.parts(piece, document.begin, document.end), end):
            self.waiting.append(ids)
            self.size, self.since, tokens = self.size + len(ids), self.since + len(ids), tokens + len(ids)
            if self.size >= AT_ONCE:
                self.flush()
        self.lengths.append(self.since)
        self.since = 0
        return tokens

    def flush(self) -> None:
        """Write what waits; of a document that goes on, what comes is counted from here."""
        if self.waiting or self.lengths:
            ids = np.concatenate([*self.waiting, np.zeros(0, np.uint32)])
            self.to.append(ids, np.array(self.lengths, np.int64))
        self.waiting, self.lengths, self.size, self.since = [], [], 0, 0

    def close(self) -> None:
        """Finish the files."""
        self.flush()
        self.to.close()
