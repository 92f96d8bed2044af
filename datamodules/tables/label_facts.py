"""How often a split has each label, and texts that have it: what a model card shows of the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...text.tags import spans_of
from .labels import LabelNames
from .leakage import SplitExamples
from .multi_hot import MultiHot

MOST_READ = 10_000
"""Examples that are looked through for texts; a label that none of them has is shown without."""

LabelFacts = dict[str, tuple[int, list[str]]]
"""Of each label how often it occurs, and some of its texts."""


def text_labels(counts: dict[str, int], part: SplitExamples, names: LabelNames, most: int) -> LabelFacts:
    """Return the labels of whole texts.

    Args:
        counts: of each label the rows that have it.
        part: the examples of a split.
        names: what the labels in the data are called.
        most: texts of each label.
    """
    known = list(counts)

    def labeled(example: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for raw in example["labels"]:
            if (name := names.known(raw, known)) is not None:
                yield name, " / ".join(example["texts"])

    return _with_texts(counts, part, labeled, most)


def word_labels(part: SplitExamples, tagging: bool, most: int) -> LabelFacts:
    """Return the kinds of entities, or the tags of words.

    Args:
        part: the examples of a split.
        tagging: whether tags name words, and not spans of them.
        most: texts of each label.
    """
    store, raw = part.rows.stores["gold"], list(part.rows.meta["labels"])
    tags = MultiHot(np.asarray(store.ends), store.ids, len(raw)).of(part.rows.of(part.examples)).labels
    counts: Counter[str] = Counter()
    for tag, number in zip(raw, np.bincount(tags[tags >= 0], minlength=len(raw)).tolist(), strict=True):
        if tagging:
            counts[tag] += number
        elif tag.startswith("B-"):
            counts[tag[2:]] += number

    def labeled(example: dict[str, Any]) -> Iterator[tuple[str, str]]:
        text, words, tags = example["text"], example["words"], example["tags"]
        spans = [(n, n + 1, tag) for n, tag in enumerate(tags)] if tagging else spans_of(tags)
        for first, end, kind in spans:
            yield kind, text[words[first][0] : words[end - 1][1]]

    return _with_texts(dict(counts), part, labeled, most)


def _with_texts(
    counts: dict[str, int],
    part: SplitExamples,
    labeled: Callable[[dict[str, Any]], Iterator[tuple[str, str]]],
    most: int,
) -> LabelFacts:
    texts: dict[str, list[str]] = {label: [] for label in counts}
    wanted = {label for label, count in counts.items() if count and most}
    for number in part.examples[:MOST_READ].tolist():
        if not wanted:
            break
        for label, text in labeled(part.rows.examples[number]):
            if label in wanted and text not in texts[label]:
                texts[label].append(text)
                if len(texts[label]) == most:
                    wanted.discard(label)
    return {label: (count, texts[label]) for label, count in counts.items()}
