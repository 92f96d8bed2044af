"""The base of datamodules for running text that can be gone on from: prompts beside the documents."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ..errors import InputError
from ..storage.cache import TokenStore, digest
from ..text.encoding import encode
from ..text.readers import mended
from .batching.predict_rows import Inputs
from .batching.prompts import Prompts, write_prompts
from .documents import DocumentsDataModule
from .sources import Files


class PromptedDataModule(DocumentsDataModule):
    """Documents, and texts to go on from; a subclass sets `prompts`, the files of those."""

    prompts: Files

    def prepare_prompts(self) -> None:
        """Tokenize the prompts, unless the cache has them."""
        if not self.predict_texts:
            self._read_prompts()

    def map_prompts(self) -> None:
        """Fill `self.datasets` with the prompts."""
        sequences: list[list[int]] | TokenStore
        if self.predict_texts:
            texts = mended(self.predict_texts, "data.predict_texts")
            self.predict_rows = [{"text": text} for text in texts]
            self.predict_key = digest(["prompts", texts])
            sequences = encode(self.tokenizer, texts)
        else:
            sequences = self._read_prompts().rows.stores["input_ids"]
        self.datasets["predict"] = Prompts(sequences, self.tokenizer.pad_token_id or 0)
        self.predict_from = 0

    def _read_prompts(self) -> Inputs:
        if not self.prompts.has("predict"):
            raise InputError("There is nothing to predict: set data.predict_files or data.predict_texts.")

        def write(folder: Path) -> None:
            texts = self.prompts.documents("predict", Counter())
            if not write_prompts(folder, texts, self.tokenizer):
                raise InputError(f"{self.prompts.name('predict')} holds no text to go on from.")

        return self.read_inputs(["prompts", self.prompts.key("predict"), self.tokenizer_key()], write)
