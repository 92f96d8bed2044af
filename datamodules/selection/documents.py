"""The documents of a split: what cleaning leaves, and of those that train what is selected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ...storage.cache import cached
from ...text.cleaning import Cleaning
from ...text.progress import progress
from ...text.selection.options import Selection
from ...text.splitting import held_out_documents
from ..sources import Source
from .backbone import BackboneEmbedding
from .passes import Passes
from .select import Selected, select


@dataclass(frozen=True)
class SplitDocuments:
    """The documents of a split of a source.

    Args:
        source: that is read.
        split: of it.
        cleaning: which documents are left out.
        selection: which of the others are kept; of training documents only.
        fraction: share of the documents that is held out.
        seed: of what is held out.
        cache_dir: of the cache.
    """

    source: Source
    split: str
    cleaning: Cleaning | None
    selection: Selection | None = None
    fraction: float = 0.0
    seed: int = 0
    cache_dir: str = ""

    @cached_property
    def key(self) -> list[Any]:
        """What a cache key must hold."""
        held_out = [self.fraction, self.seed] if self.fraction else None
        cleaning = self.cleaning and self.cleaning.key()
        key = [self.split, self.source.key(self.split), held_out, cleaning]
        return key if self.selection is None else [*key, self.selection.key(self.cache_dir)]

    def read(self, skipped: Counter[str]) -> Iterator[str]:
        """Return the texts, under a line of progress.

        Args:
            skipped: counts what is left out, by its reason.
        """
        passes = Passes(self.source, self.split, self.cleaning)
        texts: Iterator[str] = (text for _, text in passes.first(skipped))
        if self._selected is not None:
            texts = self._selected.documents(passes, skipped)
        return progress(texts, f"tokenizing {self.split}")

    @property
    def held_out(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """Takes the hashes of all texts that `read` returns to which are held out; None where none is."""
        if not self.fraction:
            return None
        if self._selected is not None:
            return self._selected.held_out
        name = self.source.name(self.split)
        return lambda hashes: held_out_documents(hashes, self.fraction, name)

    @property
    def notes(self) -> list[str]:
        """What is said of the selection."""
        return self._selected.report["notes"] if self._selected is not None else []

    @cached_property
    def _selected(self) -> Selected | None:
        selection = self.selection
        if selection is None:
            return None

        def make(folder: Path) -> None:
            embed = None if selection.backbone is None else BackboneEmbedding(selection.backbone)
            passes = Passes(self.source, self.split, self.cleaning)
            select(folder, passes, selection, self.fraction, self.seed, embed)

        return Selected(cached(self.cache_dir, "selections", self.key, make))
