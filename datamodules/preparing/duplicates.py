"""Copies and near copies over all portions: datatrove's steps, so that the first in the input's order stays."""

from __future__ import annotations

import resource
import struct
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from datatrove.data import Document
from datatrove.io import get_datafolder
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import (
    ExactDedupConfig,
    ExactDedupFilter,
    ExactDedupSignature,
    ExactFindDedups,
    MinhashDedupBuckets,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.utils.word_tokenizers import WordTokenizer

from ...text.cleaning import folded
from ...text.near_duplicates import PERMUTATIONS, shingle_hashes

MOST_PORTIONS = 65_534
"""That exact copies are found in: their order is kept in 16 bits."""
FOUND = 0.9
"""Share of the pairs of documents at the threshold that are found."""
BUFFERED = 1_000
"""Signatures that are read at a time."""
SHINGLES_AT_ONCE = 4_096


# ------------------------------------------------------------------------------------------------- exact copies


def content(document: Document) -> bytes:
    """Return what is compared: white space does not tell documents apart."""
    return folded(document.text).encode("utf-8", "surrogatepass")


def _priority(document: Document, number: int) -> int:
    return MOST_PORTIONS + 1 - number


def _config(number: int = 0) -> ExactDedupConfig:
    return ExactDedupConfig(content_getter=content, document_priority=partial(_priority, number=number))


def write_hashes(documents: Iterator[Document], folder: str, number: int, finders: int) -> None:
    """Write the hashes of a portion.

    Args:
        documents: of the portion.
        folder: of all portions.
        number: of the portion.
        finders: tasks that will compare them.
    """
    ExactDedupSignature(folder, _config(number), finders)(documents, number)


def find_copies(hashes: str, copies: str) -> PipelineStep:
    """Return the step that compares the hashes, in as many tasks as `finders` said."""
    return ExactFindDedups(hashes, copies, _config(), lines_to_buffer=BUFFERED)


def without_copies(documents: Iterator[Document], copies: str, number: int) -> Iterator[Document]:
    """Yield the documents of a portion that are no copies of earlier ones."""
    found: Iterator[Document] = ExactDedupFilter(copies, _config())(documents, number)
    return found


# ------------------------------------------------------------------------------------------------- near copies


def minhash_config(threshold: float) -> MinhashConfig:
    """Return how many hashes are compared: the longest bands that find `FOUND` of the pairs at a similarity.

    At 0.8 these are 16 bands of 8, much as FineWeb has 14 of 8 (arXiv 2406.17557).
    """
    for rows in range(PERMUTATIONS, 0, -1):
        bands = PERMUTATIONS // rows
        if 1 - (1 - threshold**rows) ** bands >= FOUND:
            return MinhashConfig(num_buckets=bands, hashes_per_bucket=rows)
    return MinhashConfig(num_buckets=PERMUTATIONS, hashes_per_bucket=1)


class Signatures(MinhashDedupSignature):
    """MinHash of the shingles that `data.cleaning.near_duplicates` compares in a training, too."""

    def __init__(self, folder: str, config: MinhashConfig) -> None:
        super().__init__(folder, config, language=_NoWords())

    def get_shingles(self, text: str) -> np.ndarray:
        """Return (shingles, 1), uint64."""
        return shingle_hashes(text).astype(np.uint64).reshape(-1, 1)

    def get_signature(self, shingles: np.ndarray) -> list[list[int]]:
        """Return the signature, made of a few shingles at a time: a long text must not fill the memory."""
        parts = [
            super(Signatures, self).get_signature(shingles[begin : begin + SHINGLES_AT_ONCE])
            for begin in range(0, len(shingles), SHINGLES_AT_ONCE)
        ]
        least: list[list[int]] = np.array(parts, np.uint64).min(axis=0).tolist()
        return least


class _NoWords(WordTokenizer):
    """Stands where datatrove would load spaCy, and is never asked."""

    def word_tokenize(self, text: str) -> list[str]:
        raise NotImplementedError

    sent_tokenize = span_tokenize = word_tokenize


class Buckets(MinhashDedupBuckets):
    """Opens all signatures of a band at once, as many portions as there are."""

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> None:
        """Write the pairs that one task finds."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        super().run(data, rank, world_size)


def find_pairs(signatures: str, pairs: str, config: MinhashConfig) -> PipelineStep:
    """Return the step that finds documents with a band in common, in as many tasks as there are bands."""
    return Buckets(signatures, pairs, config=config, lines_to_buffer=BUFFERED)


class Clusters(PipelineStep):
    """Writes which documents `MinhashDedupFilter` is to remove: all of a cluster but the first.

    datatrove's own step keeps the document at the root of its search, which may be any of them.

    Args:
        pairs: folder of the pairs.
        removed: folder to write to.
    """

    type = "🫂 - DEDUP"
    name = "clusters"

    def __init__(self, pairs: str, removed: str) -> None:
        super().__init__()
        self.pairs, self.removed = get_datafolder(pairs), get_datafolder(removed)

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> None:
        """Write a file for each portion from which something is removed, all in one task."""
        found = [
            np.frombuffer(self.pairs.cat_file(name), "<u4") for name in self.pairs.list_files(glob_pattern="*.dups")
        ]
        for number, documents in removed_documents(np.concatenate(found) if found else np.zeros(0, np.uint32)):
            with self.removed.open(f"{number:06d}.remove", "wb") as file:
                file.write(struct.pack(f"<{len(documents)}I", *documents.tolist()))
            self.stat_update("to_remove", value=len(documents))


def removed_documents(pairs: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield portions with the documents that are removed from them, in order.

    Args:
        pairs: (4 * pairs,), uint32: portion and document of the one, and of the other.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    numbers = pairs.reshape(-1, 2).astype(np.uint64)
    nodes, places = np.unique((numbers[:, 0] << np.uint64(32)) | numbers[:, 1], return_inverse=True)
    ends = places.reshape(-1, 2)
    size = len(nodes)
    graph = coo_array((np.ones(len(ends), bool), (ends[:, 0], ends[:, 1])), shape=(size, size))
    _, clusters = connected_components(graph, directed=False) if size else (0, np.zeros(0, np.int64))
    _, first = np.unique(clusters, return_index=True)  # nodes are sorted: the first of each is the earliest
    stays = np.zeros(size, bool)
    stays[first] = True
    gone = nodes[~stays]
    of_portion = (gone >> np.uint64(32)).astype(np.int64)
    for number in np.unique(of_portion).tolist():
        yield number, (gone[of_portion == number] & np.uint64(0xFFFFFFFF)).astype(np.uint32)
