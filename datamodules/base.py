"""The base of every datamodule: where texts come from, their tokenizer, and the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from ..contracts import ModuleFacts, module_facts
from ..errors import refuse_nulls
from ..storage.cache import default_cache, digest
from ..storage.paths import local_folder
from ..text.extend_tokenizer import ExtendTokenizer
from ..text.tokenizer import load_tokenizer
from ..text.train_tokenizer import TrainTokenizer
from .batching.predict_rows import Inputs
from .find_tokenizer import has_own_tokenizer, make_tokenizer, own_tokenizer, tokenizer_content
from .loading import LoadingDataModule


class BaseDataModule(LoadingDataModule):
    """Reads once into a cache, then hands out batches.

    A subclass fills `self.datasets` (one `BatchedDataset` per split) in `setup`, and does everything slow in
    `prepare_data`, which only one process of a machine runs.

    Args:
        tokenizer: a name, a folder, an earlier run; options for training one; or null for the backbone's own.
        batch_size: examples per batch and process.
        num_workers: processes that make batches ahead of time; 0 makes them in the main one (for a GPU in a thread
            ahead of it), null chooses: none where the CPU computes and for corpora, up to 4 for each GPU, as cores
            allow.
        cache_dir: folder for tokenized data and trained tokenizers; null means `$PRETUNE_CACHE` or ~/.cache/pretune.
        seed: of the held-out split, the draw of few labels and the order of training.
    """

    length_option = "max_length"

    def __init__(
        self,
        tokenizer: str | TrainTokenizer | ExtendTokenizer | None = None,
        batch_size: int = 32,
        num_workers: int | None = None,
        cache_dir: str | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers, seed)
        if isinstance(tokenizer, dict):
            tokenizer = (ExtendTokenizer if "extend" in tokenizer else TrainTokenizer)(**tokenizer)
        if isinstance(tokenizer, TrainTokenizer | ExtendTokenizer):
            refuse_nulls(tokenizer, "data.tokenizer")
        self.tokenizer_spec = tokenizer
        self.cache_dir = local_folder(cache_dir or default_cache(), "data.cache_dir (or $PRETUNE_CACHE)")
        self.tokenizer: Any = None
        self._tokenizer_key = ""
        self.predict_rows: Sequence[dict[str, Any]] = []
        self.predict_key = ""
        self._inputs: Inputs | None = None

    # ------------------------------------------------------------------ what is read

    def find_sources(self) -> None:
        """Look whether all that will be read is there: a mistyped name is to be said before the others are read."""
        for split in self.prepared_splits():
            if self.source.has(split):
                self.source.name(split)

    def prepared_splits(self) -> tuple[Literal["train", "validation", "test"], ...]:
        """Return those of the wanted splits that `prepare_data` reads."""
        return self.wanted_splits()

    def read_inputs(self, key: Any, write: Callable[[Path], None]) -> Inputs:
        """Write what is to be predicted into the cache, unless it is there, and return it."""
        self._inputs = Inputs(self.cache_dir, key, write)
        self.predict_rows, self.predict_key = self._inputs.inputs, digest(key)
        return self._inputs

    def predicted(self, done: int) -> None:
        """Give back the memory of the rows that are done."""
        if self._inputs is not None:
            self._inputs.forget(done)

    def teardown(self, stage: str) -> None:
        """Remove what was written to be predicted, once that is done."""
        if stage == "predict" and self._inputs is not None and (self.trainer is None or self.trainer.local_rank == 0):
            self._inputs.remove()

    # ------------------------------------------------------------------ tokenizer

    def training_texts(self) -> Iterator[str]:
        """Return what a new tokenizer is trained on."""
        raise TypeError(f"{type(self).__name__} must define `training_texts`.")

    def training_key(self) -> Any:
        """Return what a cache key must hold of those texts."""
        return self.source.key("train")

    def load_tokenizer(self) -> None:
        """Set `self.tokenizer`: named, trained here (once), or the backbone's own.

        Raises:
            InputError: if there is none, or if the module cannot learn from such data.
        """
        if self.tokenizer is not None:
            return
        self.use_tokenizer(self._find_tokenizer())
        module_facts(self.module).check_data(self)

    def _find_tokenizer(self) -> Any:
        spec, module = self.tokenizer_spec, module_facts(self.module)
        if isinstance(spec, str):
            return load_tokenizer(spec)
        # One that was trained with the model that is now evaluated, or goes on, is not trained anew.
        trained_before = has_own_tokenizer(module) or (self.module is not None and not self.source.has("train"))
        if spec is None or trained_before:
            return own_tokenizer(module, type(self).__name__)
        return make_tokenizer(spec, self.source, self.training_key, self.training_texts, self.cache_dir)

    def use_tokenizer(self, tokenizer: Any) -> None:
        """Take a tokenizer that was loaded elsewhere, whatever `tokenizer` asked for; before `prepare_data`."""
        self.tokenizer = tokenizer
        self._tokenizer_key = digest(tokenizer_content(tokenizer))  # now: a call leaves its truncation behind in it

    def tokenizer_key(self) -> str:
        """Return what names the tokenizer in cache keys."""
        return self._tokenizer_key

    def held(self) -> dict[str, str]:
        """Return what all processes must hold alike; data that a tokenizer made differ with it, so it comes first."""
        return {"tokenizer": self._tokenizer_key, **super().held()}

    def serve(self, module: ModuleFacts) -> None:
        """Take over length and tokenizer from a module that no trainer runs; one process reads all."""
        length = getattr(self, self.length_option)
        setattr(self, self.length_option, min(length, module.input_limit() or length))
        self.use_tokenizer(module.tokenizer)
        self.take_share(0, 1)  # one process may ask alone
