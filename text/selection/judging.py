"""How much a document is wanted, and whether a test set holds a part of it: a function of its text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import InputError
from .clusters import k_center, k_means, nearest_center
from .contamination import TEXTS_AT_ONCE, Forbidden, Hit, forbid
from .drawing import gumbel_noise
from .embedding import WordEmbedding
from .gathering import Gathered
from .importance import Bag, log_ratios, log_weights
from .options import Selection
from .other_texts import read_texts
from .units import each

Embed = Callable[[Sequence[str]], np.ndarray]
"""Takes texts to vectors."""


@dataclass
class Judged:
    """What is known of some documents.

    Args:
        keys: (documents,), float64: within its group, the documents with the largest ones are kept.
        groups: (documents,), int32, the cluster of each; 0 without clusters.
        hits: what documents share with test sets, by their place.
    """

    keys: np.ndarray
    groups: np.ndarray
    hits: dict[int, Hit]


@dataclass(frozen=True)
class Judge:
    """Judges documents; it pickles, and judges alike in any process.

    Args:
        seed: of the draw.
        draws: whether documents are drawn at all.
        ratios: of n-grams, by bucket; of `importance`.
        embed: says what a document is about, and
        centers: (clusters, d), of what they are about; of `diversity`.
        forbidden: what no document may hold.
    """

    seed: int
    draws: bool
    ratios: np.ndarray | None = None
    embed: Embed | None = None
    centers: np.ndarray | None = None
    forbidden: Forbidden | None = None

    def __call__(self, texts: Sequence[str]) -> Judged:
        """Judge some documents."""
        keys, groups = np.zeros(len(texts)), np.zeros(len(texts), np.int32)
        if self.draws:
            keys = gumbel_noise(texts, self.seed)
        if self.ratios is not None:
            keys += log_weights(texts, self.ratios)
        if self.embed is not None and self.centers is not None:
            groups = nearest_center(self.embed(texts), self.centers).astype(np.int32)
        return Judged(keys, groups, {} if self.forbidden is None else self.forbidden.hits(texts))


def make_judge(selection: Selection, gathered: Gathered, embed: Embed | None = None) -> Judge:
    """Return what judges the documents of a corpus.

    Args:
        selection: the options.
        gathered: of the whole corpus.
        embed: the backbone, where the options name one.

    Raises:
        InputError: if the target, or the test sets, hold nothing to go by.
    """
    judge: dict[str, object] = {}
    if selection.method == "importance" and gathered.bag is not None:
        judge["ratios"] = log_ratios(_target(selection), gathered.bag)
    if selection.method == "diversity" and gathered.sample is not None:
        sample = gathered.sample.in_order()
        if gathered.frequencies is not None:
            embed = WordEmbedding.of(sample, gathered.frequencies, gathered.documents)
        assert embed is not None
        points = embed(sample)
        if selection.centers == "k_center":
            centers = k_center(points, selection.clusters)
        else:
            centers = k_means(points, selection.clusters, selection.seed)
        judge |= {"embed": embed, "centers": centers}
    if selection.against:
        judge["forbidden"] = _forbidden(selection)
    return Judge(selection.seed, selection.method is not None, **judge)  # type: ignore[arg-type]


def _target(selection: Selection) -> Bag:
    bag = Bag.of([], selection.buckets)
    columns = selection.target_columns
    texts = (text for path in selection.target_files() for text in read_texts(path, columns, "target_columns"))
    for batch in each(texts, TEXTS_AT_ONCE):
        bag = bag + Bag.of(batch, selection.buckets)
    if not bag.counts.any():
        raise InputError(
            f"data.selection.target ({selection.target}) holds no text to be like: give files of texts"
            f"{', or other data.selection.target_columns' if columns else ''}."
        )
    return bag


def _forbidden(selection: Selection) -> Forbidden:
    columns = selection.against_columns
    files = [read_texts(path, columns, "against_columns") for path in selection.test_files()]
    forbidden = forbid(files, selection.ngram)
    if not len(forbidden.hashes):
        raise InputError(
            f"data.selection.against ({selection.against}) holds no text of {selection.ngram} words or more, so that "
            "nothing would be found: lower data.selection.ngram, or leave data.selection.against out."
        )
    return forbidden
