"""What makes validation lie: texts that are in training too, labels that only one side has, and few rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_warn

from ..batching.token_rows import TokenRows

TOKENS_AT_ONCE = 1 << 20
"""Hashed so many at a time: memory stays bounded, however long examples are."""
MOST_NAMES = 10
FEW_ROWS = 20
"""Fewer rows to validate on are warned of."""


@dataclass(frozen=True)
class SplitExamples:
    """The examples of a split.

    Args:
        rows: where they lie.
        examples: (n,), which of them.
    """

    rows: TokenRows
    examples: np.ndarray


def fingerprints(rows: TokenRows) -> np.ndarray:
    """Return (examples,) uint64, a hash of each example's tokens; 0 where an example has none.

    What counts is what a network reads: spelling that the tokenizer does not tell apart, and what was cut off, make no
    difference; a pair counts as a whole, and so do the windows of a long text. Labels do not count, except where the
    answer is part of the text (a decoder's). A hundred million tokens take some seconds.
    """
    ids, ends = rows.stores["input_ids"].ids, rows.stores["input_ids"].ends
    count = len(rows.examples)
    # Of each example, where its rows begin in the store; they lie side by side.
    places = np.concatenate([[0], ends])[np.searchsorted(rows.owners, np.arange(count + 1))]
    return sequence_hashes(ids, places)


def sequence_hashes(ids: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return (n,) uint64, a hash of each of some sequences that lie side by side; 0 where one is empty.

    Args:
        ids: (tokens,), the store that they lie in.
        places: (n + 1,), where each begins, and the last one ends.
    """
    hashes = np.zeros(len(places) - 1, np.uint64)
    first = 0
    while first < len(hashes):
        last = max(first + 1, int(np.searchsorted(places, places[first] + TOKENS_AT_ONCE, side="right")) - 1)
        bounds = places[first : last + 1]
        positions = np.arange(bounds[0], bounds[-1]) - np.repeat(bounds[:-1], np.diff(bounds))
        sums = np.cumsum(_mixed(np.asarray(ids[bounds[0] : bounds[-1]], np.uint64), positions.astype(np.uint64)))
        sums = np.concatenate([[np.uint64(0)], sums])[bounds - bounds[0]]
        hashes[first:last] = np.diff(sums)  # modulo 2 ** 64, as all of this
        first = last
    return hashes


def warn_of_shared_texts(
    train: SplitExamples, other: SplitExamples, split: str, held_out: SplitExamples | None = None
) -> None:
    """Warn when rows of a split are also in training, or in what was held out of the same rows.

    Args:
        train: what is trained on.
        other: the split.
        split: its name.
        held_out: of the training rows, what was validated on.
    """
    hashes = fingerprints(other.rows)
    of_train = hashes if train.rows is other.rows else fingerprints(train.rows)
    hashes = hashes[other.examples]
    trained = np.isin(hashes, of_train[train.examples]) & (hashes != 0)
    validated = np.zeros_like(trained)
    if held_out is not None:
        validated = np.isin(hashes, of_train[held_out.examples]) & (hashes != 0) & ~trained
    both = trained | validated
    if not both.any():
        return
    counts = [(int(trained.sum()), "in train"), (int(validated.sum()), "in validation only, held out of train's rows")]
    (count, place), *more = [(count, place) for count, place in counts if count]
    also = "".join(f", {n:,} {where}" for n, where in more)
    first = other.rows.examples[int(other.examples[both.argmax()])]["where"]
    rank_zero_warn(
        f"{count:,} of {len(hashes):,} {split} rows ({count / len(hashes):.1%}) are also {place}{also}: scores will "
        f"flatter. The first is {first}; take such rows out of one side."
    )


def warn_of_missing_labels(train: dict[str, int], validation: dict[str, int]) -> None:
    """Warn when a label occurs in training or in validation alone.

    Args:
        train: how often each label occurs.
        validation: the same.
    """
    for without, with_them, missing, other, consequence in (
        (validation, train, "validation", "train", "scores say nothing of it; more validation rows would"),
        (train, validation, "train", "validation", "it cannot be learned; training rows with it would help"),
    ):
        names = [name for name, count in with_them.items() if count and not without.get(name)]
        if names:
            shown = ", ".join(repr(name) for name in names[:MOST_NAMES])
            more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
            label, times = ("label", "occurs") if len(names) == 1 else ("labels", "occur")
            rank_zero_warn(
                f"{label} {shown}{more} {times} 0 times in {missing} ({sum(with_them[n] for n in names):,} times in "
                f"{other}): {consequence}."
            )


def warn_of_few_rows(train: int, validation: int, labels: int, held_out: bool) -> None:
    """Warn when so few rows are validated on that chance decides which checkpoint is the best.

    Args:
        train: rows to train on.
        validation: rows to validate on.
        labels: how many there are; 0 where rows have none.
        held_out: whether the validation rows were taken from the training rows.
    """
    if validation >= max(FEW_ROWS, labels):
        return
    of_labels = f" for {labels:,} labels" if validation < labels else ""
    rows = "1 row" if validation == 1 else f"{validation:,} rows"
    more = "a larger data.validation_fraction or data.validation_files" if held_out else "more of them"
    rank_zero_warn(
        f"validation has {rows}{of_labels}, train {train:,}: each is {round(100 / validation, 1):g}% of a score, by "
        f"which the best checkpoint is chosen and training may stop early; {more} would make it steadier."
    )


def warn_of_lone_labels(counts: np.ndarray, column: str) -> None:
    """Warn when most rows have a label that no other row has: of a column of texts or numbers nothing is learned.

    Args:
        counts: (labels,), how often each occurs.
        column: that they are taken from.
    """
    lone, rows = int((counts == 1).sum()), int(counts.sum())
    if lone > MOST_NAMES and 2 * lone > rows:
        rank_zero_warn(
            f"{lone:,} of {rows:,} rows have a label of their own in column {column!r}: no class can be learned from "
            "one row. Is it data.label_column? Numbers are learned by data.problem: regression."
        )


def _mixed(ids: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return a pseudo-random number for each token at its position (the last steps of splitmix64)."""
    x = ids | (positions << np.uint64(32))
    x = (x + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = x ^ (x >> np.uint64(31))
    return mixed
