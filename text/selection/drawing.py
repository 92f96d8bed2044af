"""Drawing documents by what they say: a copy is drawn with its original, and neither order nor processes matter."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from ..splitting import hash_salt


def gumbel_noise(texts: Sequence[str], seed: int) -> np.ndarray:
    """Return noise of each text, drawn from the standard Gumbel distribution by a hash of the text.

    The k largest of noise plus logarithms of weights are a sample without replacement by these weights (arXiv
    1903.06059); of noise alone, a uniform sample.

    Args:
        texts: any.
        seed: of the draw.

    Returns:
        (texts,) float64.
    """
    salt = hash_salt(seed)
    digests = (
        blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, salt=salt, person=b"selection").digest()
        for text in texts
    )
    numbers = np.frombuffer(b"".join(digests), "<u8")
    uniform = ((numbers >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53  # 53 bits: never 0 and never 1
    return -np.log(-np.log(uniform))


def shares(sizes: np.ndarray, count: int) -> np.ndarray:
    """Return how many of each group are taken, so that groups come as close to each other as their sizes allow.

    Args:
        sizes: (groups,), int64.
        count: in all, of not more than there are.

    Returns:
        (groups,), int64.
    """
    taken = np.zeros(len(sizes), np.int64)
    while (rest := count - int(taken.sum())) > 0:
        open_groups = np.flatnonzero(taken < sizes)
        level = rest // len(open_groups)
        if level == 0:  # one more of the first ones
            taken[open_groups[:rest]] += 1
        else:
            taken[open_groups] += np.minimum(level, (sizes - taken)[open_groups])
    return taken


def thresholds(keys: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """Return of each group the key from which on its documents are kept; infinite where none is.

    Args:
        keys: (documents,), of all documents that may be kept.
        groups: (documents,), the group of each, from 0.
        count: documents to keep. Copies have one key, so that they stay or go together, and a few more may be kept.

    Returns:
        (groups,), float64.
    """
    sizes = np.bincount(groups)
    taken = shares(sizes, count)
    least = np.full(len(sizes), np.inf)
    for group in np.flatnonzero(taken).tolist():
        place = int(sizes[group] - taken[group])
        least[group] = np.partition(keys[groups == group], place)[place]
    return least
