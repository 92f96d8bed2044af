"""The manifest, out of what each portion has left."""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from typing import Any

from ...errors import InputError
from ...storage.folders import Folder
from ...storage.prepared import Manifest, Shard, ShardFile, Split
from ...text.tokenizer import separator_id
from .corpus import Corpus
from .shards import COUNTS
from .state import State
from .steps import SIGNATURES, TOKENS
from .tally import summed
from .tokenizer_files import described
from .work import Work


def assembled(work: Work, corpus: Corpus, wanted: State, tokenizer: Any) -> Manifest:
    """Return the manifest of a corpus whose portions are all done.

    Args:
        work: where they left what they did.
        corpus: what was prepared.
        wanted: its options, and their fingerprint.
        tokenizer: that comes with it.

    Raises:
        InputError: if a split is left without a document.
    """
    portions = work.portions()
    facts = work.facts(TOKENS, portions)
    near = corpus.cleaning.near_duplicates is not None
    steps = summed(work.facts(SIGNATURES, portions), facts) if near else summed(facts)
    left_out: Counter[str] = Counter()
    for step in steps:
        left_out.update(step.left_out)
    splits: dict[str, Split] = {}
    names = dict.fromkeys(name for split in corpus.sources for name in corpus.names(split))
    for name in names:
        counts: Counter[str] = Counter()
        shards = []
        for portion, made in zip(portions, facts, strict=True):
            if name in made["splits"]:
                counts.update({what: made["splits"][name][what] for what in COUNTS})
            if name in made["splits"] and made["splits"][name]["files"]:
                known = made["splits"][name]
                files = {file: ShardFile(**about) for file, about in known["files"].items()}
                shards.append(Shard(f"{name}-{portion.number:05d}", known["documents"], known["tokens"], files))
        splits[name] = Split(**{what: counts[what] for what in COUNTS}, shards=shards)
        _check(name, splits, corpus, dict(left_out))
    vocabulary = len(tokenizer)
    return Manifest(
        documents=sum(split.documents for split in splits.values()),
        tokens=sum(split.tokens for split in splits.values()),
        dtype="uint16" if vocabulary <= 1 << 16 else "uint32",
        separator=separator_id(tokenizer),
        word_starts=corpus.word_starts,
        tokenizer=described(tokenizer, Folder(work.output)),
        splits=splits,
        left_out=dict(sorted(left_out.items())),
        steps=steps,
        options=wanted.options,
        fingerprint=wanted.fingerprint,
        made_with={name: _version(name) for name in ("pretune", "datatrove", "tokenizers")},
    )


def _check(name: str, splits: dict[str, Split], corpus: Corpus, left_out: dict[str, int]) -> None:
    """Refuse a split without a document."""
    if splits[name].documents:
        return
    why = ", ".join(f"{count:,} {what}" for what, count in left_out.items()) or "no text"
    if name == "validation" and corpus.fraction:
        raise InputError(
            f"None of {splits['train'].documents:,} documents is held out: raise data.validation_fraction "
            f"({corpus.fraction}), set data.validation_files, or data.validation_fraction: 0."
        )
    raise InputError(f"No document is left in {name}: {why}.")


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # run from a clone
        return "unknown"
