"""The token ids of one shard, mapped into memory from where its files are."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...storage.cache import TokenStore, mapped
from ...storage.prepared import Shard
from ...storage.shard_files import FetchedShards, LocalShards

ShardFiles = LocalShards | FetchedShards


class ShardStore(TokenStore):
    """A shard as a store of tokens; its files are looked for, or brought, when they are first read.

    Args:
        files: where they are.
        shard: which one.
        dtype: of the ids.
    """

    def __init__(self, files: ShardFiles, shard: Shard, dtype: str) -> None:
        super().__init__(Path(), shard.name)
        self.files, self.shard, self.dtype = files, shard, dtype

    @cached_property
    def ids(self) -> np.ndarray:
        """All documents, one after the other."""
        return self._mapped("bin", np.dtype(self.dtype))

    @cached_property
    def starts(self) -> np.ndarray:
        """Of every token whether a word begins with it; uint8."""
        return self._mapped("starts.bin", np.dtype(np.uint8))

    @cached_property
    def ends(self) -> np.ndarray:
        """Where each document ends."""
        return self._mapped("ends.bin", np.dtype(np.int64))

    @property
    def key(self) -> list[str]:
        """What a cache key must hold of where its documents end."""
        return ["shard", self.shard.files[f"{self.name}.ends.bin"].hash]

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return self.shard.tokens

    def __len__(self) -> int:
        return self.shard.documents

    def _mapped(self, suffix: str, dtype: np.dtype) -> np.ndarray:
        while True:
            try:
                return mapped(self.files.path(f"{self.name}.{suffix}"), dtype)
            except FileNotFoundError:  # another process has made room in between
                continue

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "files": self.files, "shard": self.shard, "dtype": self.dtype}
