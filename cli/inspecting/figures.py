"""Numbers of an inspection, in words and in bars, for terminals and pages alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...contracts import Survey
from .inspection import BatchFacts, Inspection

BINS = 10
MOST_LABELS = 20


@dataclass(frozen=True)
class Histogram:
    """Lengths in classes of equal width.

    Args:
        bins: the first length of each class, its last one, and how many there are.
        says: what is to be seen, in a sentence.
    """

    bins: Sequence[tuple[int, int, int]]
    says: str

    @property
    def entries(self) -> list[tuple[str, int]]:
        """The name of each class, and how many there are."""
        return [(f"{first:,}" if first == last else f"{first:,}-{last:,}", count) for first, last, count in self.bins]


def histogram(survey: Survey) -> Histogram | None:
    """Return the lengths of a split; None where there are none."""
    lengths = np.asarray(survey.lengths, np.int64)
    if not len(lengths):
        return None
    low, high = int(lengths.min()), int(lengths.max())
    width = max(1, -(-(high - low + 1) // BINS))
    counts = np.bincount((lengths - low) // width)
    bins = [(low + i * width, min(high, low + (i + 1) * width - 1), int(n)) for i, n in enumerate(counts.tolist())]
    middle, most = (int(value) for value in np.percentile(lengths, (50, 95), method="lower"))
    limit = f"; the limit is {survey.limit:,}" if survey.limit else ""
    sample = f" (of {len(lengths):,} that were looked at)" if survey.is_sample else ""
    spread = f"{low:,} to {high:,}, half up to {middle:,}, 95% up to {most:,}" if low < high else f"{low:,} in all"
    says = f"tokens of {survey.unit}{sample}: {spread}{limit}"
    return Histogram(bins, says)


def label_counts(survey: Survey) -> list[tuple[str, int]]:
    """Return the most frequent labels, and as the last entry what the others are together."""
    known = sorted(survey.labels.items(), key=lambda item: -item[1])
    if len(known) <= MOST_LABELS:
        return list(survey.labels.items())
    rest = known[MOST_LABELS:]
    return [*known[:MOST_LABELS], (f"{len(rest):,} others", sum(count for _, count in rest))]


def shared_lines(name: str, survey: Survey) -> list[str]:
    """Return a sentence for each kind of text that stands elsewhere, too.

    Args:
        name: of the split.
        survey: of it.
    """
    least = "at least " if survey.is_sample else ""
    said = []
    for shared in survey.shared:
        count = f"{least}{shared.count:,} of {counted(survey.rows, survey.unit)}"
        first = f" (the first: {shared.first})" if shared.first else ""
        if shared.split == name:
            said.append(f"duplicates: {count} are copies of earlier ones{first}")
        else:
            said.append(f"leaks: {count} are also in {shared.split}{first}")
    return said


def batch_line(batch: BatchFacts) -> str:
    """Return what a batch comes to."""
    if batch.tokens is None:
        return f"{readable_bytes(batch.size)} of memory"
    padding = batch.places - batch.tokens
    share = f"{padding / batch.places:.1%} of the places are padding" if padding else "no padding"
    return f"{batch.tokens:,} tokens, {share}; {readable_bytes(batch.size)} of memory"


def readable_bytes(size: float) -> str:
    """Return a number of bytes with its unit."""
    for name, unit in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size:.0f} bytes"


def counted(number: int, unit: str) -> str:
    """Return so many of a unit, which is given in the plural."""
    return f"{number:,} {unit if number != 1 else unit.removesuffix('es') if unit == 'batches' else unit[:-1]}"


def row_line(row_facts: Mapping[str, str], length: int, targets: int) -> str:
    """Return what stands above a row."""
    says = [value if name == "from" else f"{name}: {value}" for name, value in row_facts.items()]
    says.append(counted(length, "tokens") + (f", {targets:,} predicted" if targets else ""))
    return " · ".join(says)


def counts_line(seen: Inspection) -> str:
    """Return how much of the split is shown."""
    survey = seen.surveys.get(seen.split)
    whole = f" of {survey.rows:,}" if survey is not None and survey.unit == "rows" else ""
    batches = f"; {counted(seen.batches, 'batches')} in all" if seen.batches is not None else ""
    return f"{counted(len(seen.rows), 'rows')}{whole} shown{batches}"
