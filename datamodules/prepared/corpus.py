"""A corpus that `prepare` has tokenized, as a source of training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ...storage.cache import cached, digest
from ...storage.folders import Folder
from ...storage.prepared import Manifest, Shard, Split, read_manifest
from ...storage.shard_files import FetchedShards, LocalShards
from ...storage.transfer import bring
from ...text.progress import progress
from ...text.tokenizer import load_tokenizer
from ..example_form import ExampleForm
from .shard_store import ShardStore
from .sharded import Sharded

WINDOW = 8
"""Shards behind a URL whose blocks are mixed, where nobody says how many."""


class PreparedCorpus:
    """Shards of tokens with their manifest, by path or URL.

    Args:
        url: of the folder.
        cache_dir: of the cache.
        limit: bytes that shards from behind a URL may take of it; None knows no limit.
        window: shards whose blocks are mixed; None: `WINDOW` behind a URL, and all on a disk.
    """

    def __init__(self, url: str, cache_dir: str, limit: int | None = None, window: int | None = None) -> None:
        self.url, self.cache_dir, self.limit, self._window = url, cache_dir, limit, window

    @cached_property
    def manifest(self) -> Manifest:
        """What it holds."""
        manifest = read_manifest(self.url)
        if manifest.splits.get("train") is None:
            raise InputError(f"{self.url} holds no training part.")
        return manifest

    # ------------------------------------------------------------------ what is asked of a source

    def has(self, split: str) -> bool:
        """Return whether there is such a split."""
        return split in self.manifest.splits and bool(self.manifest.splits[split].shards)

    def name(self, split: str) -> str:
        """Return what messages call a split."""
        return f"{self.url} ({split}, {len(self._split(split).shards):,} shards)"

    def hub_ids(self) -> list[str]:
        """Return none: what it was made of is in its manifest."""
        return []

    def class_names(self, column: str, split: str = "train") -> list[str] | None:
        """Return None: a corpus has none."""
        return None

    def key(self, split: str) -> Any:
        """Return what a cache key must hold of a split."""
        return ["prepared", self.contents(split)]

    def rows(self, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return the documents of a split as rows, as its tokenizer writes them."""
        for number, text in enumerate(self.documents(split, Counter())):
            yield f"{self.url} ({split}) document {number + 1}", {"text": text}

    def documents(self, split: str, skipped: Counter[str]) -> Iterator[str]:
        """Return the texts of a split, as its tokenizer writes them."""
        tokenizer, end = self.load_tokenizer(), self.manifest.separator
        for shard in self._split(split).shards:
            store = ShardStore(self.files, shard, self.manifest.dtype)
            for ids in (store[number] for number in range(len(store))):
                kept = ids[:-1] if end is not None and len(ids) and ids[-1] == end else ids
                yield tokenizer.decode(kept.tolist())

    # ------------------------------------------------------------------ what it holds

    def load_tokenizer(self) -> Any:
        """Return the tokenizer that comes with it."""
        folder, name = Folder(self.url), self.manifest.tokenizer.folder
        if folder.local is not None:
            return load_tokenizer(str(folder.local / name))

        def bring_all(target: Path) -> None:
            for file, known in self.manifest.tokenizer.files.items():
                bring(folder.below(name), file, known, target / file)

        key = ["prepared", self.manifest.tokenizer.hash]
        return load_tokenizer(str(cached(self.cache_dir, "tokenizers", key, bring_all)))

    def contents(self, split: str) -> str:
        """Return a hash of all tokens of a split."""
        shards = self._split(split).shards
        return digest([[shard.name, sorted((n, f.hash) for n, f in shard.files.items())] for shard in shards])

    def counts(self, split: str) -> dict[str, int]:
        """Return how many documents, tokens, words, bytes and unknown tokens a split has."""
        found = self._split(split)
        return {name: getattr(found, name) for name in ("documents", "tokens", "words", "bytes", "unknown")}

    def skipped(self, split: str) -> dict[str, int]:
        """Return nothing: what was left out when it was prepared, its manifest tells."""
        return {}

    def notes(self, split: str) -> list[str]:
        """Return nothing, for the same reason."""
        return []

    def dataset(self, split: str, form: ExampleForm) -> Sharded:
        """Return the examples of a split.

        Args:
            split: which.
            form: how tokens become examples.

        Raises:
            InputError: if word ids are wanted that it was prepared without, or the cache may hold too little.
        """
        if form.word_ids and not self.manifest.word_starts:
            raise InputError(
                f"{self.url} was prepared without word ids, and this module hides whole words (data.word_ids): prepare "
                "it with data.word_ids: true, or set model.masking: tokens."
            )
        shards = self._split(split).shards
        suffixes = ["bin", *(["ends.bin"] if form.packing else []), *(["starts.bin"] if form.word_ids else [])]
        window = self.window if split == "train" else None
        self._check_limit(shards, suffixes, window or 1)
        counts = self._counts(split, form)
        return Sharded(self.files, shards, self.manifest.dtype, counts, form.examples, window, suffixes)

    @property
    def window(self) -> int | None:
        """Shards whose examples are mixed in training; None mixes all."""
        if self._window is not None:
            return self._window or None
        return WINDOW if isinstance(self.files, FetchedShards) else None

    @cached_property
    def files(self) -> LocalShards | FetchedShards:
        """Where its files are on this machine."""
        splits = self.manifest.splits.values()
        files = {name: file for split in splits for shard in split.shards for name, file in shard.files.items()}
        folder, own = Folder(self.url), digest([self.contents(split) for split in self.manifest.splits])
        if folder.local is not None:
            return LocalShards(folder.local, files, Path(self.cache_dir, ".checked", f"prepared-{own}"))
        return FetchedShards(self.url, files, Path(self.cache_dir, "shards", own), self.limit)

    def _split(self, split: str) -> Split:
        return self.manifest.splits[split]

    def _counts(self, split: str, form: ExampleForm) -> np.ndarray:
        shards = self._split(split).shards
        if not form.packing:
            return np.array([form.count_blocks(shard.tokens) for shard in shards], np.int64)

        def write(folder: Path) -> None:
            stores = [ShardStore(self.files, shard, self.manifest.dtype) for shard in shards]
            packs = progress(stores, f"packing {split}", len(stores), "shards")
            np.save(folder / "counts.npy", np.array([len(form.examples(store)) for store in packs], np.int64))

        key = [self.contents(split), self.manifest.tokenizer.hash, form.key]
        counts: np.ndarray = np.load(cached(self.cache_dir, "pack_counts", key, write) / "counts.npy")
        return counts

    def _check_limit(self, shards: list[Shard], suffixes: list[str], window: int) -> None:
        """Refuse a cache that cannot hold a window and the next one: each would put out the other."""
        if self.limit is None or not isinstance(self.files, FetchedShards):
            return
        sizes = sorted(sum(shard.files[f"{shard.name}.{one}"].size for one in suffixes) for shard in shards)
        if (needed := sum(sizes[-2 * window :])) > self.limit:
            raise InputError(
                f"data.cache_limit is {self.limit / 1e9:g} GB, and {2 * window} shards of {self.url}, as many as are "
                f"needed at a time, take up to {needed / 1e9:.3g} GB: raise it, or lower data.shuffle_window "
                f"({window})."
            )
