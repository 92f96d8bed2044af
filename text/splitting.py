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
    """Return row numbers for training and validation; every label gives its share.

    Args:
        labels: (n,), the label of each row.
        fraction: share to hold out; at least one row in all, if there is more than one.
        seed: of the choice.
    """
    rng = np.random.default_rng([seed, HELD_OUT_ROWS])
    held = np.zeros(len(labels), bool)
    for rows in _by_label(labels):
        rows = rng.permutation(rows)
        held[rows[: round(fraction * len(rows))]] = True
    if not held.any() and len(labels) > 1:
        held[rng.integers(len(labels))] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


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
