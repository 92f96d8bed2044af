"""Documents that are nearly the same: MinHash signatures of their shingles."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from ..errors import InputError

PERMUTATIONS = 128
"""Numbers in a MinHash signature: the estimate of a similarity of 0.8 has a standard deviation of 0.035."""

SHINGLE = 5
"""Words (or characters) in a shingle."""

SPACED = 12
"""Texts whose words have more characters than this on average are taken to be written without spaces."""


def minhash() -> tuple[Any, Any]:
    """Return datasketch's classes, which near duplicates are found with."""
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError as error:
        raise InputError(
            'data.cleaning.near_duplicates needs the package datasketch: pip install "pretune[cleaning]".'
        ) from error
    return MinHash, MinHashLSH


class NearDuplicates:
    """An index of the documents so far. Candidates come from LSH, and are dropped by the estimated similarity."""

    def __init__(self, threshold: float) -> None:
        MinHash, MinHashLSH = minhash()
        self.threshold = threshold
        self.empty = MinHash(num_perm=PERMUTATIONS, hashfunc=int)  # the shingles come as numbers already
        self.index = MinHashLSH(num_perm=PERMUTATIONS, params=_bands(threshold))
        self.signatures: list[np.ndarray] = []

    def seen(self, text: str) -> bool:
        """Return whether an earlier document is similar; if none is, this one is remembered."""
        sketch = self.empty.copy()
        hashes = shingle_hashes(text)
        for start in range(0, len(hashes), 4096):  # times 128 numbers: a long text must not fill the memory
            sketch.update_batch(hashes[start : start + 4096].tolist())
        signature = sketch.hashvalues.astype(np.uint32)
        needed = self.threshold * PERMUTATIONS
        for candidate in self.index.query(sketch):
            if np.count_nonzero(self.signatures[candidate] == signature) >= needed:
                return True
        self.index.insert(len(self.signatures), sketch, check_duplication=False)
        self.signatures.append(signature)
        return False


def _bands(threshold: float) -> tuple[int, int]:
    """Return the number of bands of the LSH, and of the hashes in each.

    The longest bands that find 95 of 100 documents at the threshold: what they find too much costs only a comparison.
    """
    for rows in range(PERMUTATIONS // 2, 1, -1):
        bands = PERMUTATIONS // rows
        if 1 - (1 - threshold**rows) ** bands >= 0.95:
            return bands, rows
    return PERMUTATIONS, 1


def shingle_hashes(text: str) -> np.ndarray:
    """Return the hashes of a text's 5-grams of words, or of characters if it has hardly a space; uint32, each once.

    A text that is shorter is one shingle.
    """
    words = text.split()
    joined = "".join(words)
    if len(joined) > SPACED * len(words):
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    else:
        crcs = (zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in words)
        codes = np.fromiter(crcs, np.uint64, len(words))
    size = min(SHINGLE, len(codes))
    count = len(codes) - size + 1
    hashes = np.zeros(count, np.uint64)
    for i in range(size):  # one pass for each place in the shingle, over all shingles at once
        hashes = (hashes ^ codes[i : i + count]) * np.uint64(0x9E3779B97F4A7C15)
    return np.unique(hashes >> np.uint64(32))  # the upper half depends on all bits
