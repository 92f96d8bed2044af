"""Tokens of one portion, written as a shard of each split that its documents go to."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...storage.cache import TokenWriter
from ...storage.folders import Folder
from ...storage.manifest import hash_stream
from ...text.encoding import text_batch
from ...text.tokenizing import Tokenizing, sums

COUNTS = ("documents", "tokens", "words", "bytes", "unknown")


def write_shards(
    texts: Iterator[str], tokenizing: Tokenizing, fraction: float, splits: list[str], number: int, output: Folder
) -> dict[str, Any]:
    """Tokenize the documents of a portion, and write them.

    Args:
        texts: the documents, in order.
        tokenizing: takes them to tokens.
        fraction: share that goes to the second split, by content alone.
        splits: where the documents go.
        number: of the portion.
        output: where to.

    Returns:
        Of each split its counts, and under `files` size and hash of each file; no files where it got no document.
    """
    bound = np.uint64(min(int(fraction * 2.0**64), 2**64 - 1))
    with place_for(output) as place:
        writers = {split: TokenWriter(place, len(tokenizing.tokenizer), f"{split}-{number:05d}") for split in splits}
        totals = {split: Counter[str]() for split in splits}
        for batch in iter(lambda: text_batch(texts), []):
            made = tokenizing(batch)
            lengths, chosen = made.facts["tokens"], made.facts["hash"] < bound
            of_token = np.repeat(chosen, lengths)
            for split, documents, tokens in zip(splits, (~chosen, chosen), (~of_token, of_token), strict=False):
                starts = None if made.starts is None else made.starts[tokens]
                writers[split].append(made.ids[tokens], lengths[documents], starts)
                totals[split].update(sums(made.facts[documents]))
        facts: dict[str, Any] = {}
        for split, writer in writers.items():
            writer.close()
            facts[split] = {name: totals[split][name] for name in COUNTS}
            (place / f"{writer.name}.dtype").unlink()
            files = sorted(place.glob(f"{writer.name}.*")) if totals[split]["documents"] else []
            facts[split]["files"] = {file.name: file_facts(file) for file in files}
            for file in files:
                output.take(file.name, file)
    return facts


def file_facts(file: Path) -> dict[str, Any]:
    """Return size and hash of a file."""
    with file.open("rb") as stream:
        return {"size": file.stat().st_size, "hash": hash_stream(stream)}


@contextmanager
def place_for(output: Folder) -> Iterator[Path]:
    """Give a folder to write into: beside the output, where that is on this machine, so that files need no copy."""
    near = None if output.local is None else output.local / "unfinished" / "tmp"
    if near is not None:
        near.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(dir=near))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
