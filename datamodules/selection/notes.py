"""What is said of a selection: what was kept, and what was found of test sets."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import numpy as np

from ...text.selection.judging import Judge, Judged
from ...text.selection.options import Selection
from ...text.visible import MOST_NAMES, shown_path, shown_paths, shown_value

MOST_HITS = 3
"""Runs of words that are quoted."""


def notes_of(
    selection: Selection, name: str, judged: Judged, clean: np.ndarray, kept: np.ndarray, judge: Judge
) -> list[str]:
    """Return a sentence for each thing that a selection did.

    Args:
        selection: the options.
        name: of the corpus.
        judged: of all documents that may be kept.
        clean: (documents,), whether each is without a part of a test set.
        kept: (documents,), whether each is kept.
        judge: that judged.
    """
    notes = []
    if selection.method is not None:
        by = {
            "importance": f"by importance to {shown_paths(selection.target_files())}",
            "diversity": f"by diversity{_clusters(judged, clean, kept)}",
            "random": "at random",
        }[selection.method]
        notes.append(f"selection from {name}: {int(kept.sum()):,} of {int(clean.sum()):,} documents kept {by}")
    if judge.forbidden is not None:
        notes.append(f"test sets in {name}: {_hits(selection, judged)}{_short(judge.forbidden.short, selection.ngram)}")
    return notes


def _clusters(judged: Judged, clean: np.ndarray, kept: np.ndarray) -> str:
    sizes = np.bincount(judged.groups[clean])
    taken = np.bincount(judged.groups[kept], minlength=len(sizes))
    full = sizes > 0
    return f", up to {taken.max():,} of each of {int(full.sum()):,} clusters ({sizes[full].min():,} to {sizes.max():,})"


def _hits(selection: Selection, judged: Judged) -> str:
    files = selection.test_files()
    if not judged.hits:
        return f"no document shares {selection.ngram} words with {shown_paths(files)}"
    counts = Counter(hit.file for hit in judged.hits.values()).most_common()
    named = ", ".join(f"{shown_path(files[file])} ({count:,})" for file, count in counts[:MOST_NAMES])
    more = f" and {len(counts) - MOST_NAMES:,} more files" if len(counts) > MOST_NAMES else ""
    runs = dict.fromkeys(hit.words for hit in judged.hits.values())
    quoted = ", ".join(map(shown_value, islice(runs, MOST_HITS)))
    were = "document, which shares" if len(judged.hits) == 1 else "documents, which share"
    return f"{len(judged.hits):,} {were} {selection.ngram} words with {named}{more}, dropped: {quoted}"


def _short(count: int, size: int) -> str:
    return f" ({count:,} texts with fewer than {size} words were not looked for)" if count else ""
