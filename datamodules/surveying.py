"""What there is to know of all rows of a split, read in pieces; of many rows a sample, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..contracts import Shared, Survey
from ..storage.cache import TokenStore
from .batching.segment_pairs import Pairs
from .batching.token_rows import TokenRows
from .prepared.sharded import Sharded
from .tables.leakage import SplitExamples, fingerprints, sequence_hashes

MOST_ROWS = 1 << 20
"""Rows that are looked at; of more, stretches that are spread evenly."""
MOST_TOKENS = 1 << 26
"""Tokens that are read of a split."""
STRETCHES = 64
MOST_SHARDS = 2
"""Shards that are looked at of a prepared corpus: each may have to be brought first."""
MOST_PIECES = 1 << 15
"""Rows, or pairs, that are looked at one by one."""


@dataclass(frozen=True)
class Looked:
    """What was looked at of a split.

    Args:
        numbers: (n,), rows of the split, ascending.
        lengths: (n,), their tokens.
        hashes: (n,) uint64, of their content; 0 where there is none.
    """

    numbers: np.ndarray
    lengths: np.ndarray
    hashes: np.ndarray


def spread(count: int, most: int) -> list[tuple[int, int]]:
    """Return stretches of rows, by their first and the one after the last: all, or evenly spread ones.

    Args:
        count: of all rows.
        most: rows in all stretches together.
    """
    if count <= most:
        return [(0, count)]
    size = max(1, most // STRETCHES)
    begins = np.linspace(0, count - size, most // size).astype(np.int64)
    return [(int(begin), int(begin) + size) for begin in begins]


def look_at_sequences(store: TokenStore) -> Looked:
    """Look at the sequences of a store, such as documents."""
    count = len(store)
    mean = (int(store.ends[-1]) if count else 0) / max(1, count)
    numbers, lengths, hashes = [], [], []
    for first, last in spread(count, min(MOST_ROWS, max(STRETCHES, int(MOST_TOKENS / max(1.0, mean))))):
        places = np.concatenate([[store.place(first)], store.ends[first:last]])
        numbers.append(np.arange(first, last))
        lengths.append(np.diff(places))
        hashes.append(sequence_hashes(store.ids, places))
    return Looked(*map(np.concatenate, (numbers, lengths, hashes)))


def look_at_examples(part: SplitExamples) -> Looked:
    """Look at some examples of a split that is too large for all, each with all of its rows of tokens."""
    rows, store = part.rows, part.rows.stores["input_ids"]
    pieces = spread(len(part.examples), MOST_PIECES)
    chosen = np.concatenate([part.examples[first:last] for first, last in pieces])
    begin, end = _places(part.rows, chosen)
    hashes = [sequence_hashes(store.ids, np.array(place)) for place in zip(begin.tolist(), end.tolist(), strict=True)]
    return Looked(chosen, end - begin, np.concatenate(hashes) if len(rows) else np.zeros(0, np.uint64))


def _places(rows: TokenRows, examples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the tokens of examples begin and end in their store."""
    ends = rows.stores["input_ids"].ends
    first, last = (np.searchsorted(rows.owners, examples, side) for side in ("left", "right"))
    begin, end = (np.where(row > 0, ends[np.maximum(row, 1) - 1], 0) for row in (first, last))
    return begin, end


def _is_small(rows: TokenRows) -> bool:
    ends = rows.stores["input_ids"].ends
    return len(rows.examples) <= MOST_ROWS and (not len(ends) or int(ends[-1]) <= MOST_TOKENS)


def survey_of(
    split: str,
    looked: Mapping[str, Looked],
    rows: int,
    unit: str,
    where: Callable[[int], str],
    *,
    limit: int | None = None,
    notes: Sequence[str] = (),
    labels: Mapping[str, int] | None = None,
) -> Survey:
    """Return what is known of a split.

    Args:
        split: its name.
        looked: what was looked at of it, and of the other splits.
        rows: how many it has.
        unit: what they are.
        where: takes the number of one to the place where it stands.
        limit: the most tokens that one may have.
        notes: what happened as they were tokenized.
        labels: how often each occurs.
    """
    mine = looked[split]
    shared = []
    _, first = np.unique(mine.hashes, return_index=True)
    again = np.ones(len(mine.hashes), bool)
    again[first] = False
    for other, theirs in {split: None, **{k: v for k, v in looked.items() if k != split}}.items():
        found = again if theirs is None else np.isin(mine.hashes, theirs.hashes)
        found = found & (mine.hashes != 0)
        if count := int(found.sum()):
            shared.append(Shared(other, count, where(int(mine.numbers[found.argmax()]))))
    return Survey(rows, unit, mine.lengths, limit, list(notes), dict(labels or {}), shared)  # type: ignore[arg-type]


def survey_examples(split: str, parts: Mapping[str, SplitExamples], **known: Any) -> Survey:
    """Return what is known of a split of labeled rows.

    Args:
        split: its name.
        parts: the examples of all splits that are set up.
        **known: as `survey_of` takes it.
    """
    part, looked = parts[split], {}
    whole: dict[int, np.ndarray] = {}  # two parts may lie in one file
    for name, other in parts.items():
        if not _is_small(other.rows):
            looked[name] = look_at_examples(other)
            continue
        if id(other.rows) not in whole:
            whole[id(other.rows)] = fingerprints(other.rows)
        begin, end = _places(other.rows, other.examples)
        looked[name] = Looked(other.examples, end - begin, whole[id(other.rows)][other.examples])
    examples = part.rows.examples
    return survey_of(split, looked, len(part.examples), "rows", lambda i: str(examples[i].get("where", "")), **known)


def survey_documents(split: str, datasets: Mapping[str, Any], notes: Sequence[str]) -> Survey:
    """Return what is known of a split of running text, or of pairs out of it.

    Args:
        split: its name.
        datasets: of all splits that are set up: blocks, packs, mixtures of them, or pairs.
        notes: what happened as they were tokenized.
    """
    looked = {}
    for name, dataset in datasets.items():
        parts = getattr(dataset, "parts", [dataset])  # of a mixture
        each = [one for part in parts for one in _looked_at(part)]
        columns = zip(*((one.numbers, one.lengths, one.hashes) for one in each), strict=True)
        looked[name] = Looked(*map(np.concatenate, columns))
    parts = getattr(datasets[split], "parts", [datasets[split]])
    pairs = isinstance(parts[0], Pairs)
    count = sum(part.documents if isinstance(part, Sharded) else len(part if pairs else part.store) for part in parts)
    unit = "pairs" if pairs else "documents"
    return survey_of(split, looked, count, unit, lambda i: f"{unit[:-1]} {i + 1:,}", notes=notes)


def _looked_at(part: Any) -> list[Looked]:
    if isinstance(part, Pairs):
        return [look_at_pairs(part)]
    if not isinstance(part, Sharded):
        return [look_at_sequences(part.store)]
    each = [(first, look_at_sequences(store)) for first, store in part.samples(MOST_SHARDS)]
    return [Looked(looked.numbers + first, looked.lengths, looked.hashes) for first, looked in each]


def look_at_pairs(pairs: Pairs) -> Looked:
    """Look at pairs of segments; each is the run of tokens that it is made of."""
    from xxhash import xxh3_64_intdigest

    numbers, lengths, hashes = [], [], []
    for first, last in spread(len(pairs), MOST_PIECES):
        for number, (begin, _, end, _) in enumerate(np.asarray(pairs.table[first:last]).tolist(), first):
            ids = pairs.store.tokens(begin, end)
            numbers.append(number)
            lengths.append(len(ids))
            hashes.append(xxh3_64_intdigest(ids.tobytes()))
    return Looked(np.array(numbers, np.int64), np.array(lengths, np.int64), np.array(hashes, np.uint64))
