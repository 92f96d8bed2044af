"""Documents tokenized into one stream on disk, and that divided into what trains and what validates."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..storage.cache import TokenStore, TokenWriter
from ..text.progress import Bar
from ..text.splitting import held_out_documents
from ..text.tokenizing import FACTS, Tokenizing, sums

TOKENS_AT_ONCE = 1 << 24
"""Documents are divided into training and validation so many tokens at a time: memory stays bounded."""


def write_token_stream(
    folder: Path,
    split: str,
    documents: Iterator[str],
    skipped: Counter[str],
    tokenizing: Tokenizing,
    validation_fraction: float,
    name: str,
) -> None:
    """Tokenize documents into a folder; beside them goes `report.json`, with counts of each part and what was skipped.

    Args:
        folder: of the cache.
        split: that the documents are of, by which the files are called.
        documents: the texts, in their order.
        skipped: what is left out as the documents are read, by its reason; counted elsewhere.
        tokenizing: takes them to tokens.
        validation_fraction: share of the documents that becomes a part named `validation`; 0 divides nothing.
        name: of the corpus, for messages.

    Raises:
        InputError: if there is no document.
    """
    vocabulary = len(tokenizing.tokenizer)
    writer = TokenWriter(folder, vocabulary, split)
    total: Counter[str] = Counter()
    facts = (folder / "facts.bin").open("wb")  # on disk: there may be a hundred million documents
    with closing(tokenizing.over(documents)) as batches:
        for batch in batches:
            writer.append(batch.ids, batch.facts["tokens"], batch.starts)
            facts.write(batch.facts.tobytes())
            total.update(sums(batch.facts))
    facts.close()
    writer.close()
    if not total:
        raise InputError(f"{name} holds no document: {counted(skipped) or 'no text'}.")
    report: dict[str, Any] = {}
    if validation_fraction > 0:
        table = np.memmap(folder / "facts.bin", FACTS, "r")
        is_held_out = held_out_documents(table["hash"], validation_fraction, name)
        report["validation"] = {"counts": sums(table[is_held_out]), "skipped": {}}
        total.subtract(report["validation"]["counts"])
        _divide(folder, split, is_held_out, vocabulary, tokenizing.word_starts)
    (folder / "facts.bin").unlink()
    report[split] = {"counts": dict(total), "skipped": dict(skipped)}
    (folder / "report.json").write_text(json.dumps(report))


def counted(counts: dict[str, int]) -> str:
    """Return counts in words: `3 blank, 2 too short`."""
    return ", ".join(f"{n:,} {what}" for what, n in counts.items())


def _divide(folder: Path, split: str, is_held_out: np.ndarray, vocabulary: int, words: bool) -> None:
    """Divide one stream of documents into training and validation, in pieces that fit into memory."""
    whole = TokenStore(folder, split)
    parts = {name: TokenWriter(folder, vocabulary, f"{name}.part") for name in ("train", "validation")}
    first = place = 0
    bar = Bar(f"dividing {split}", len(is_held_out), "documents")
    while first < len(is_held_out):
        # As many documents as have so many tokens, but one at least.
        last = max(first + 1, int(np.searchsorted(whole.ends, place + TOKENS_AT_ONCE, side="right")))
        ends, chosen = whole.ends[first:last], is_held_out[first:last]
        lengths, end = np.diff(ends, prepend=place), int(ends[-1])
        of_token = np.repeat(chosen, lengths)
        ids, flags = whole.ids[place:end], whole.starts[place:end] if words else None
        for name, kept, tokens in (("train", ~chosen, ~of_token), ("validation", chosen, of_token)):
            parts[name].append(ids[tokens], lengths[kept], None if flags is None else flags[tokens])
        bar.advance(last - first)
        first, place = last, end
    bar.close()
    del whole, ids, flags
    for name, writer in parts.items():
        writer.close()
        for suffix in ("bin", "ends.bin", "dtype", *(["starts.bin"] if words else [])):
            (folder / f"{name}.part.{suffix}").replace(folder / f"{name}.{suffix}")
