"""What is to be known of a document that comes as ids: its content's hash, its words and bytes, and whether it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np

from ....errors import InputError
from ....text.encoding import backend_of, count_words
from ....text.splitting import hash_salt
from .pieces import Piece

LONGEST = 1 << 20
"""Ids that are decoded at a time; at the borders within longer documents, words and bytes are counted about."""


@dataclass(frozen=True)
class Document:
    """One that is not empty.

    Args:
        begin: its first id in the file.
        end: the one after the last, without the separator.
        is_ended: whether the separator followed.
        hash: of its text.
        words: of its text.
        bytes: of its text, in UTF-8.
        unknown: ids that stand for what the tokenizer does not know.
    """

    begin: int
    end: int
    is_ended: bool
    hash: int
    words: int
    bytes: int
    unknown: int


@dataclass
class Reading:
    """Reads the documents of pieces.

    Args:
        tokenizer: that made the ids.
        mark: what documents end with in files that do not know.
        separator: what they will end with.
        unknown: the id that stands for what the tokenizer does not know.
        seed: of the documents' hashes.
    """

    tokenizer: Any
    mark: int | None
    separator: int | None
    unknown: int | None
    seed: int

    @cached_property
    def decode(self) -> Callable[[list[int]], str]:
        """What takes ids to their text, with what special tokens are called."""
        backend = backend_of(self.tokenizer)
        if backend is not None:
            return lambda ids: str(backend.decode(ids, skip_special_tokens=False))
        return lambda ids: str(self.tokenizer.decode(ids, clean_up_tokenization_spaces=False))

    def documents(self, piece: Piece) -> Iterator[Document | None]:
        """Yield the documents of a piece in their order, and None for each that has no id but the separator.

        Raises:
            InputError: if an id is not in the vocabulary, saying which, and where.
        """
        begin = piece.begin
        for end in piece.ends(self.mark).tolist():
            is_ended = end > begin and self.separator is not None and int(piece.file.ids[end - 1]) == self.separator
            last = end - is_ended
            yield self._document(piece, begin, last, is_ended) if last > begin else None
            begin = end

    def _document(self, piece: Piece, begin: int, end: int, is_ended: bool) -> Document:
        content = blake2b(digest_size=8, salt=hash_salt(self.seed))
        words = size = unknown = 0
        for ids in self.parts(piece, begin, end):
            text = self.decode(ids.tolist())
            data = text.encode("utf-8", "surrogatepass")
            content.update(data)
            words, size = words + count_words(text), size + len(data)
            unknown += 0 if self.unknown is None else int((ids == self.unknown).sum())
        return Document(begin, end, is_ended, int.from_bytes(content.digest(), "little"), words, size, unknown)

    def parts(self, piece: Piece, begin: int, end: int) -> Iterator[np.ndarray]:
        """Yield the ids of a document, uint32, as many at a time as memory is meant to hold.

        Raises:
            InputError: if an id is not in the vocabulary.
        """
        vocabulary = len(self.tokenizer)
        for place in range(begin, end, LONGEST):
            ids = np.asarray(piece.file.ids[place : min(place + LONGEST, end)])
            if int(ids.max()) >= vocabulary or int(ids.min()) < 0:
                first = int(((ids >= vocabulary) | (ids < 0)).argmax())
                raise InputError(
                    f"{piece.file.path} holds the id {ids[first]} at place {place + first:,} (byte "
                    f"{piece.file.offset + (place + first) * piece.file.dtype.itemsize:,}), and the tokenizer has the "
                    f"ids 0 to {vocabulary - 1:,}: data.tokenizer is not what made this file, or it is of another "
                    "format."
                )
            yield ids.astype(np.uint32)
