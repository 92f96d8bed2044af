"""Orders of many examples that are computed where they are read, and never held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

ROUNDS = 6


class Order(Protocol):
    """Numbers of examples in the order in which they are handed out."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice) -> np.ndarray: ...


class Ascending:
    """0 ... size - 1, as they are.

    Args:
        size: how many.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> np.ndarray:
        """Return a part: int64."""
        return np.arange(*part.indices(self.size), dtype=np.int64)


class Permutation:
    """A pseudo-random order of 0 ... size - 1, of which any part takes time and memory of that part alone.

    A Feistel network over the next power of four, walked on where it leads out of the range (Black and Rogaway 2002,
    "Ciphers with Arbitrary Finite Domains").

    Args:
        size: how many.
        seed: whole numbers.
    """

    def __init__(self, size: int, seed: Sequence[int]) -> None:
        self.size = size
        self._half = np.uint64(max(1, -(-max(1, size - 1).bit_length() // 2)))
        self._mask = (np.uint64(1) << self._half) - np.uint64(1)
        self._keys = np.random.default_rng(list(seed)).integers(0, 1 << 63, ROUNDS, dtype=np.uint64)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> np.ndarray:
        """Return a part of the order: int64."""
        return self.at(np.arange(*part.indices(self.size), dtype=np.uint64))

    def at(self, places: np.ndarray) -> np.ndarray:
        """Return what stands at some places of the order: int64.

        Args:
            places: (n,), from 0 to size - 1.
        """
        numbers = self._mixed(places.astype(np.uint64))
        while (outside := numbers >= self.size).any():
            numbers[outside] = self._mixed(numbers[outside])
        return numbers.astype(np.int64)

    def _mixed(self, numbers: np.ndarray) -> np.ndarray:
        left, right = numbers >> self._half, numbers & self._mask
        for key in self._keys:
            hashed = (right + key) * np.uint64(0x9E3779B97F4A7C15)
            hashed = (hashed ^ (hashed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
            left, right = right, left ^ ((hashed >> np.uint64(32)) & self._mask)
        return (left << self._half) | right
