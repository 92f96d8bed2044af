"""What a selection has to know of a corpus before it can judge a document; of parts of it, it adds up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .embedding import document_frequencies
from .importance import Bag
from .options import Selection
from .sample import Sample

SAMPLED = 4_096
"""Documents that clusters are found on, and more where there are more than 64 of those."""


@dataclass
class Gathered:
    """What is known of some documents.

    Args:
        documents: how many they are.
        bag: their n-grams; of `importance`.
        frequencies: (buckets,), in how many of them words of each bucket are; of `diversity` without a backbone.
        sample: of them; of `diversity`.
    """

    documents: int
    bag: Bag | None = None
    frequencies: np.ndarray | None = None
    sample: Sample | None = None

    def __add__(self, other: Gathered) -> Gathered:
        """Return what is known of both, which have no document in common."""
        return Gathered(
            self.documents + other.documents,
            None if self.bag is None or other.bag is None else self.bag + other.bag,
            None if self.frequencies is None or other.frequencies is None else self.frequencies + other.frequencies,
            None if self.sample is None or other.sample is None else self.sample + other.sample,
        )


def gather(selection: Selection, texts: Sequence[str]) -> Gathered:
    """Return what a selection has to know of some documents, of none to begin with.

    Args:
        selection: the options.
        texts: the documents.
    """
    gathered = Gathered(len(texts))
    if selection.method == "importance":
        gathered.bag = Bag.of(texts, selection.buckets)
    if selection.method == "diversity":
        gathered.sample = Sample(max(SAMPLED, 64 * selection.clusters))
        gathered.sample.add(texts)
        if selection.backbone is None:
            gathered.frequencies = document_frequencies(texts, selection.buckets)
    return gathered
