"""Tagged sentences as windows of tokens, and windows as batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from ...contracts import IGNORED
from ...text.places import firsts
from ...text.tags import continued
from .padding import Padding
from .token_rows import TokenRow, TokenRows

ROWS_AT_ONCE = 1 << 16
"""Whose tags are counted at once: memory stays bounded."""


class TagPadding(Padding):
    """Pads rows, and turns tags as the data number them into indices of labels.

    Args:
        tokenizer: knows the padding.
        table: (tags in the data,), the index of each.
    """

    def __init__(self, tokenizer: Any, table: np.ndarray) -> None:
        super().__init__(tokenizer, values={"words": -1, "gold": IGNORED})
        self.table = np.append(table, IGNORED)

    def __call__(self, rows: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
        """Return (rows, longest) of each key, int64."""
        rows = [{**row, **{k: self.table[np.maximum(row[k], -1)] for k in ("labels", "gold")}} for row in rows]
        batch = super().__call__(rows)
        if "token_type_ids" not in self.leave_out:
            batch["token_type_ids"] = batch["input_ids"].new_zeros(batch["input_ids"].shape)
        return batch


def windows_of(
    ids: list[int],
    owner: np.ndarray,
    sizes: np.ndarray,
    tags: np.ndarray,
    frame: tuple[list[int], list[int]],
    room: int,
    overlap: int,
    every_piece: bool,
) -> list[TokenRow]:
    """Return the windows of a sentence; every word is a target in the one where it is farthest from an edge.

    Args:
        ids: its tokens, without special ones.
        owner: (tokens,), the word that each answers for, or -1.
        sizes: (words,), how many words are answered for together with this one, itself included.
        tags: (words,), as numbers; empty where there are none.
        frame: special tokens before and after.
        room: tokens in a window at most.
        overlap: tokens that two windows share.
        every_piece: whether all tokens of a word are targets, or its first.
    """
    first = firsts(owner)
    labels = np.full(len(ids), IGNORED)
    if len(tags):
        asked = owner >= 0 if every_piece else first
        labels[asked] = tags[owner[asked]]
    words = np.where(first, owner, -1)
    covers = np.where(first, sizes[owner], 0)
    windows = _starts(len(ids), room, overlap)
    around = tuple(map(len, frame))
    rows: list[TokenRow] = []
    for number, start in enumerate(windows):
        part = slice(start, start + room)
        is_target = _mine(owner, first, windows, number, room)[part]
        rows.append(
            {
                "input_ids": [*frame[0], *ids[part], *frame[1]],
                "labels": np.pad(np.where(is_target, labels[part], IGNORED), around, constant_values=IGNORED),
                "words": np.pad(np.where(is_target, words[part], -1), around, constant_values=-1),
                "covers": np.pad(np.where(is_target, covers[part], 0), around),
                "gold": tags if number == 0 else tags[:0],
            }
        )
    return rows


def _starts(tokens: int, room: int, overlap: int) -> list[int]:
    """Return where windows begin; the last one ends with the sentence."""
    if tokens <= room:
        return [0]
    return [*range(0, tokens - room, room - overlap), tokens - room]


def _mine(owner: np.ndarray, first: np.ndarray, windows: list[int], number: int, room: int) -> np.ndarray:
    """Return (tokens,), whether a token's word is a target in this window: its first one is farthest from an edge."""
    if len(windows) == 1:
        return np.ones(len(owner), bool)
    places = np.flatnonzero(first)
    starts = np.array(windows)[:, None]
    margin = np.minimum(places - starts, starts + room - 1 - places)
    best = margin.argmax(0)
    chosen = np.zeros(int(owner.max(initial=-1)) + 2, bool)
    chosen[owner[places[best == number]]] = True
    chosen[-1] = False  # tokens of no word
    of_tokens: np.ndarray = chosen[owner]
    return of_tokens


def words_apart(tags: list[str], leader: np.ndarray, spans: bool) -> int:
    """Return how many words do not go on with the word that answers for them.

    Args:
        tags: of the words; empty where there are none.
        leader: (words,), from `owners`.
        spans: whether tags are IOB2.
    """
    pairs = [(tags[i], tags[leader[i]]) for i in np.flatnonzero(leader != np.arange(len(leader))).tolist() if tags]
    return sum(tag != (continued(first) if spans else first) for tag, first in pairs)


def count_tags(rows: TokenRows, examples: np.ndarray, table: np.ndarray, labels: int) -> np.ndarray:
    """Return (labels,) int64: how many places of some examples have each tag.

    Args:
        rows: with a tag, or a negative number, for each token.
        examples: (n,), which.
        table: (tags in the data,), the label of each.
        labels: how many there are.
    """
    store, counts = rows.stores["labels"], np.zeros(labels, np.int64)
    chosen = np.zeros(len(rows), bool)
    chosen[rows.of(examples)] = True
    for first in range(0, len(rows), ROWS_AT_ONCE):
        part = chosen[first : first + ROWS_AT_ONCE]
        places = np.concatenate([[store.place(first)], store.ends[first : first + len(part)]])
        tags = store.ids[places[0] : places[-1]][np.repeat(part, np.diff(places))]
        counts += np.bincount(table[tags[tags >= 0]], minlength=labels)
    return counts
