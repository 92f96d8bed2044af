"""Which rows train, which are held out, and in which order labels come."""

from __future__ import annotations

import hashlib

import numpy as np

from ..contracts.random_streams import FEW_LABELS, HELD_OUT_ROWS
from ..errors import InputError
from ..storage.cells import is_whole


def sort_labels(labels: set[str]) -> list[str]:
    """Return labels in order: numbers by value, names by alphabet."""
    if all(map(is_whole, labels)):
        return sorted(labels, key=lambda label: (int(label), label))  # 1 and 01 are two
    return sorted(labels)


def hold_out(labels: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row numbers for training and validation; every label gives its share, and keeps a row to train on.

    Args:
        labels: (n,), the label of each row.
        fraction: share to hold out, of all rows as of each label; at least one row in all, if there is more than one.
        seed: of the choice.
    """
    rng = np.random.default_rng([seed, HELD_OUT_ROWS])
    groups = [rng.permutation(rows) for rows in _by_label(labels)]
    counts = _held_out_counts(np.array([len(rows) for rows in groups]), fraction, rng)
    held = np.zeros(len(labels), bool)
    for rows, count in zip(groups, counts, strict=True):
        held[rows[:count]] = True
    if not held.any() and len(labels) > 1:
        several = np.concatenate([rows for rows in groups if len(rows) > 1] or groups)
        row = rng.integers(len(labels))
        held[row if row in several else rng.choice(several)] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def _held_out_counts(sizes: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Return (labels,), how many rows of each label are held out.

    Rounded label by label, shares below one half would all be nothing, however many labels there are. Where the sum is
    wrong by more than a row and by more than a tenth, the largest remainders decide who gives a row more than its share
    rounded down.

    Args:
        sizes: (labels,), the rows of each label; one stays, unless the share is everything, which is refused elsewhere.
        fraction: share to hold out.
        rng: decides between equal remainders.
    """
    total = round(fraction * sizes.sum())
    most = sizes - 1 if total < sizes.sum() else sizes
    rounded: np.ndarray = np.minimum(np.round(fraction * sizes).astype(np.int64), most)
    if abs(total - rounded.sum()) <= max(1, total / 10):
        return rounded
    counts: np.ndarray = np.minimum(np.floor(fraction * sizes).astype(np.int64), most)
    remainders = np.where(counts < most, fraction * sizes - counts, -1)
    order = np.lexsort((rng.permutation(len(sizes)), -np.round(remainders, 9)))
    takers = order[: max(0, min(total - counts.sum(), int((counts < most).sum())))]
    counts[takers] += 1
    return counts


def draw(labels: np.ndarray, rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return `count` of the `rows` of each label (or all it has), drawn by seed; in ascending order."""
    rng = np.random.default_rng([seed, FEW_LABELS])
    chosen = [rng.permutation(rows[places])[:count] for places in _by_label(labels[rows])]
    return np.sort(np.concatenate(chosen))


def _by_label(labels: np.ndarray) -> list[np.ndarray]:
    """Return the places of each label in their order, label by label."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)


def document_hash(text: str, seed: int) -> int:
    """Return a 64-bit hash by which documents are held out: copies of a document have the same."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8, salt=hash_salt(seed)).digest(), "little")


def hash_salt(seed: int) -> bytes:
    """Return what makes the hash depend on the seed."""
    return seed.to_bytes(8, "little", signed=True)


def held_out_documents(hashes: np.ndarray, fraction: float, name: str, what: str = "document") -> np.ndarray:
    """Return which documents are held out; copies stay on one side.

    Args:
        hashes: (n,), from `document_hash`.
        fraction: share to hold out; at least one document.
        name: of the corpus, for messages.
        what: is held out; documents of a corpus can be cut otherwise.

    Returns:
        (n,), boolean.

    Raises:
        InputError: if nothing would be left to train on.
    """
    count = max(1, round(fraction * len(hashes)))
    held: np.ndarray = hashes <= np.partition(hashes, count - 1)[count - 1]
    if held.all():
        cut = "data.documents (line, paragraph, file), " if what == "document" else ""
        raise InputError(
            f"{name} holds one {what} only (or copies of it), so that none can be held out: set {cut}"
            "data.validation_files, or data.validation_fraction: 0."
        )
    return held
