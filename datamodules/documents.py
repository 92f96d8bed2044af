"""The base of the datamodules for running text: documents, some of which are held out to validate on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from ..contracts import Survey
from ..errors import InputError, check_range
from ..text.cleaning import Cleaning
from ..text.extend_tokenizer import ExtendTokenizer
from ..text.train_tokenizer import TrainTokenizer
from .base import BaseDataModule
from .batching.segment_pairs import Pairs
from .surveying import survey_documents


class DocumentsDataModule(BaseDataModule):
    """Documents of running text.

    A subclass sets `source`, tokenizes a split in `tokenize_split`, and makes its batches in `map_split`.

    Args:
        validation_fraction: share of the training documents that is held out when there is no validation split.
        cleaning: which documents to leave out.
        tokenizer: as in `BaseDataModule`.
        batch_size: examples per batch and process.
        num_workers: processes that make batches ahead of time.
        cache_dir: null means `$PRETUNE_CACHE` or ~/.cache/pretune.
        seed: of the held-out split and of the order of training.
    """

    predict_texts: list[str] | None = None
    """Prompts to continue, in place of files."""
    notes: Mapping[str, list[str]] = MappingProxyType({})
    """Of each part what is said of its documents beside their counts."""

    def __init__(
        self,
        validation_fraction: float,
        cleaning: Cleaning | None,
        tokenizer: str | TrainTokenizer | ExtendTokenizer | None,
        batch_size: int,
        num_workers: int | None,
        cache_dir: str | None,
        seed: int,
    ) -> None:
        super().__init__(tokenizer, batch_size, num_workers, cache_dir, seed)
        check_range("data.validation_fraction", validation_fraction, least=0, below=1)
        self.validation_fraction = validation_fraction
        self.cleaning = cleaning

    # ------------------------------------------------------------------ hooks for subclasses

    def tokenize_split(self, split: str) -> None:
        """Tokenize a split, unless the cache has it."""
        raise TypeError(f"{type(self).__name__} must define `tokenize_split`.")

    def map_split(self, split: str) -> None:
        """Fill `self.datasets` with what was tokenized of a split, and of the part held out of it."""
        raise TypeError(f"{type(self).__name__} must define `map_split`.")

    def prepare_prompts(self) -> None:
        """Tokenize what is to be predicted, unless the cache has it."""

    def take_rows(self, rows: Sequence[dict[str, Any]]) -> None:
        """Take the texts of rows as prompts."""
        self.predict_texts = [str(row.get("text", "")) for row in rows]
        if self.tokenizer is not None:
            self.map_prompts()

    def map_prompts(self) -> None:
        """Fill `self.datasets` with what is to be predicted."""
        raise InputError(f"{type(self).__name__} has nothing to predict; a downstream task's datamodule has.")

    # ------------------------------------------------------------------ preparing

    def find_sources(self) -> None:
        """Look for the packages of the cleaning, too: a tokenizer that is trained first needs none of them."""
        super().find_sources()
        if self.cleaning is not None and self.prepared_splits():
            self.cleaning.check_packages()

    def prepare_data(self) -> None:
        """Train the tokenizer and tokenize, unless the cache has it."""
        self.find_sources()
        self.load_tokenizer()
        if self.predicts():
            self.prepare_prompts()
        for split in self.wanted_splits():
            if self.source.has(split):
                self.tokenize_split(split)

    def setup(self, stage: str) -> None:
        """Map what was tokenized."""
        self.load_tokenizer()
        if stage == "predict":
            self.map_prompts()
            return
        name = type(self).__name__
        if stage in ("fit", "validate") and not (self.source.has("train") or self.source.has("validation")):
            raise InputError(f"{name} has nothing to train on: set data.train_files or data.dataset.")
        if stage == "test" and not self.source.has("test"):
            raise InputError(f"{name} has nothing to test on: set data.test_files.")
        for split in ("test",) if stage == "test" else ("train", "validation"):
            if self.source.has(split):
                self.map_split(split)

    def holds_out(self, split: str) -> bool:
        """Return whether a part of a split is held out to validate on."""
        return split == "train" and self.validation_fraction > 0 and not self.source.has("validation")

    def held_out_key(self, split: str) -> list[float] | None:
        """Return what a cache key must hold of that part."""
        return [self.validation_fraction, self.seed] if self.holds_out(split) else None

    def cleaning_key(self) -> object:
        """Return what a cache key must hold of the cleaning."""
        return self.cleaning.key() if self.cleaning is not None else None

    # ------------------------------------------------------------------ what is shown

    def survey(self, split: str) -> Survey | None:
        """Return what is known of all documents, or pairs, of a split that is set up."""
        divided = {name: dataset for name, dataset in self.datasets.items() if name != "predict"}
        if split not in divided:
            return None
        notes, counts = [], self.counts.get(split, {})
        if tokens := counts.get("tokens", 0):
            notes = [f"{tokens:,} tokens in {len(divided[split]):,} inputs of at most {self.longest} tokens"]
            notes += [f"{tokens / words:.2f} tokens a word"] if (words := counts.get("words", 0)) else []
            notes += [f"{counts.get('unknown', 0) / tokens:.2%} of the tokens unknown"]
        return survey_documents(split, divided, [*notes, *self.notes.get(split, [])])

    def about(self, split: str, indices: Sequence[int]) -> list[dict[str, str]]:
        """Return of each row of a batch which block, or pair, of all it is; nothing of documents in packs."""
        dataset = self.datasets[split]
        parts = getattr(dataset, "parts", [dataset])
        if split == "predict" or getattr(self, "packing", False):
            return []
        unit = "pair" if isinstance(parts[0], Pairs) else "block"
        return [{"from": f"{unit} {index + 1:,} of {len(dataset):,}"} for index in indices]
