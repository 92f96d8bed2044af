"""Packs of whole rows, laid end to end in one row of tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .packing import pack_places
from .token_rows import TokenRows
from .whole_batches import WholeBatches


class PackedRows(WholeBatches):
    """Packs of whole rows as batches in one row of tokens each; best fit, the longest first.

    Args:
        rows: where they lie.
        picked: (n,), which of them.
        size: tokens in a pack at most.
        measured: whether `lengths` should guide the loader (a budget of tokens for batches).
    """

    def __init__(self, rows: TokenRows, picked: np.ndarray, size: int, measured: bool = False) -> None:
        self.rows = rows
        lengths = rows.lengths[picked]
        self.packs = [picked[pack].tolist() for pack in best_fit(lengths, size)]
        filled = np.array([rows.lengths[pack].sum() for pack in self.packs], np.int64)
        self.lengths = filled if measured else None

    def __len__(self) -> int:
        return len(self.packs)

    def rows_of(self, indices: Sequence[int]) -> np.ndarray:
        """Return the numbers of the rows of tokens that a batch is made of, in its order."""
        return np.array([number for index in indices for number in self.packs[index]], np.int64)

    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch of some examples."""
        numbers = self.rows_of(indices).tolist()
        rows = [self.rows[number] for number in numbers]
        sizes = np.array([len(row["input_ids"]) for row in rows], np.int64)
        batch = {
            key: torch.from_numpy(np.concatenate([row[key] for row in rows]).astype(np.int64))[None] for key in rows[0]
        }
        batch |= pack_places(sizes)
        batch["example"] = torch.from_numpy(self.rows.owners[numbers])
        return batch


def best_fit(lengths: np.ndarray, size: int) -> list[list[int]]:
    """Divide rows into packs of at most `size` tokens: each goes where the least room is left that suffices.

    Args:
        lengths: (n,), none above `size`.
        size: of a pack.
    """
    packs: list[list[int]] = []
    by_room: list[list[int]] = [[] for _ in range(size + 1)]  # packs with so much room
    filled = np.zeros(size + 1, bool)
    for row in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[row])
        room = length + int(filled[length:].argmax())
        if filled[room]:
            pack = by_room[room].pop()
            filled[room] = bool(by_room[room])
            packs[pack].append(row)
        else:
            room, pack = size, len(packs)
            packs.append([row])
        by_room[room - length].append(pack)
        filled[room - length] = True
    return packs
