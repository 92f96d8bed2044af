"""Documents tokenized into one stream on disk, and that divided into what trains and what validates."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..errors import InputError
from ..storage.cache import TokenStore, TokenWriter
from ..text.findings import KNOWN, UNKNOWN, unknown_id, warn_of_unknown
from ..text.progress import Bar
from ..text.tokenizer import separator_id
from ..text.tokenizing import FACTS, Tokenizing, sums
from ..text.words import Segmenter
from .selection.documents import SplitDocuments

TOKENS_AT_ONCE = 1 << 24
"""Documents are divided into training and validation so many tokens at a time: memory stays bounded."""


def write_token_stream(folder: Path, documents: SplitDocuments, tokenizing: Tokenizing) -> None:
    """Tokenize documents into a folder; beside them goes `report.json`, with counts of each part and what was skipped.

    Args:
        folder: of the cache.
        documents: the texts, in their order; what is held out of them becomes a part named `validation`.
        tokenizing: takes them to tokens.

    Raises:
        InputError: if there is no document.
    """
    skipped: Counter[str] = Counter()
    split, held_out = documents.split, documents.held_out
    vocabulary = len(tokenizing.tokenizer)
    writer = TokenWriter(folder, vocabulary, split)
    total: Counter[str] = Counter()
    facts = (folder / "facts.bin").open("wb")  # on disk: there may be a hundred million documents
    with closing(tokenizing.over(documents.read(skipped))) as batches:
        for batch in batches:
            writer.append(batch.ids, batch.facts["tokens"], batch.starts)
            facts.write(batch.facts.tobytes())
            total.update(sums(batch.facts))
    facts.close()
    writer.close()
    if not total:
        raise InputError(f"{documents.source.name(split)} holds no document: {counted(skipped) or 'no text'}.")
    report: dict[str, Any] = {}
    if held_out is not None:
        table = np.memmap(folder / "facts.bin", FACTS, "r")
        is_held_out = held_out(table["hash"])
        report["validation"] = {"counts": sums(table[is_held_out]), "skipped": {}}
        total.subtract(report["validation"]["counts"])
        _divide(folder, split, is_held_out, vocabulary, tokenizing.word_starts)
    (folder / "facts.bin").unlink()
    report[split] = {"counts": dict(total), "skipped": dict(skipped), "notes": documents.notes}
    (folder / "report.json").write_text(json.dumps(report))


def document_tokenizing(tokenizer: Any, word_starts: bool, segmenter: Segmenter | None, seed: int) -> Tokenizing:
    """Return what takes documents to tokens, each with the separator at its end.

    Args:
        tokenizer: any.
        word_starts: whether to tell with which tokens words begin.
        segmenter: finds words where no spaces do.
        seed: of the documents' hashes.
    """
    end, unknown = separator_id(tokenizer), unknown_id(tokenizer)
    return Tokenizing(tokenizer, [] if end is None else [end], unknown, word_starts, segmenter, seed)


def say_counts(
    part: str, counts: dict[str, int], examples: str, skipped: dict[str, int], notes: list[str], tokenizer: Any
) -> None:
    """Say what a part of a corpus holds.

    Args:
        part: its name.
        counts: of its documents, tokens, words and unknown tokens.
        examples: how many, of which kind, and how long.
        skipped: what was left out, by its reason.
        notes: what else is said of its documents.
        tokenizer: that made the tokens.
    """
    rank_zero_info(
        f"{part}: {counts['documents']:,} documents, {counts['tokens']:,} tokens "
        f"({counts['tokens'] / max(1, counts['words']):.2f} a word, "
        f"{100 * counts.get('unknown', 0) / max(1, counts['tokens']):.2f}% unknown), "
        + f"{examples}"
        + (f"; skipped: {counted(skipped)}" if skipped else "")
        + "."
    )
    for note in notes:
        rank_zero_info(f"{note}.")
    warn_of_unknown(part, {KNOWN: counts["tokens"], UNKNOWN: counts.get("unknown", 0)}, tokenizer)


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
