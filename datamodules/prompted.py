"""The base of datamodules for running text that can be gone on from: prompts beside the documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..contracts import module_facts
from ..errors import InputError
from ..storage.cache import digest
from ..text.findings import Findings, told, warn_of_unknown
from ..text.readers import mended, read_documents, read_rows, require_columns, suffix
from ..text.readers.tables import TABLES
from .batching.portions import encode_portion, with_place
from .batching.predict_rows import Inputs, write_inputs
from .batching.prompts import Prompts, prompt_encoder, warn_of_unmasked
from .batching.token_rows import RowsInMemory, TokenRows
from .documents import DocumentsDataModule
from .sources import Files, Row
from .tables.text_columns import text_rows

FORMAT = 2
"""Of what lies in the cache; a new one makes it anew."""


class PromptedDataModule(DocumentsDataModule):
    """Documents, and texts to go on from; a subclass sets `prompts`, the files of those.

    A row of a table is a row to predict, with all its columns, and so is a document of a text file.
    """

    prompts: Files
    _taken: list[Row] | None = None

    def take_rows(self, rows: Sequence[dict[str, Any]]) -> None:
        """Take rows to predict in place of files and `predict_texts`."""
        self._taken = [(f"row {number + 1}", dict(row)) for number, row in enumerate(rows)]
        if self.tokenizer is not None:
            self.map_prompts()

    def prepare_prompts(self) -> None:
        """Tokenize the prompts, unless the cache has them."""
        if self._inline() is None:
            self._read_prompts()

    def map_prompts(self) -> None:
        """Fill `self.datasets` with the prompts, and report on them."""
        rows: TokenRows | RowsInMemory
        counts: Mapping[str, int]
        if (inline := self._inline()) is not None:
            rows, counts = self._encode_inline(inline)
            sequences: Any = [row["input_ids"] for row in rows.rows]
        else:
            rows = self._read_prompts().rows
            sequences, counts = rows.stores["input_ids"], rows.notes.totals()
        self.datasets["predict"] = Prompts(sequences, self.tokenizer.pad_token_id or 0)
        self.predict_from = 0
        if self._taken is not None:  # who hands rows over knows them
            return
        total = len(self.predict_rows)
        rank_zero_info("; ".join([f"predict: {total:,} rows", *told(dict(counts), self.longest or 0, total)]) + ".")
        warn_of_unknown("predict", dict(counts), self.tokenizer)
        warn_of_unmasked(counts, total, self.tokenizer)

    # ------------------------------------------------------------------ rows

    def _inline(self) -> list[Row] | None:
        return self._taken if self._taken is not None else text_rows(self.predict_texts, "text")

    def _encode_inline(self, rows: list[Row]) -> tuple[RowsInMemory, Mapping[str, int]]:
        if not rows:
            raise InputError("data.predict_texts is empty: give at least one text.")
        rows, findings = [(where, mended(row, where)) for where, row in rows], Findings()
        examples = [with_place(where, _example(where, row, "text")) for where, row in rows]
        encoded = encode_portion(examples, self._encoder(), self.tokenizer, findings)
        self.predict_rows = [row for _, row in rows]
        self.predict_key = digest(["prompts", self.predict_rows])
        return RowsInMemory(examples, encoded), findings.counts

    def _read_prompts(self) -> Inputs:
        if not self.prompts.has("predict"):
            raise InputError("There is nothing to predict: set data.predict_files or data.predict_texts.")
        column, left_out = self.prompts.text_column, Counter[str]()

        def write(folder: Path) -> None:
            rows = _file_rows(self.prompts, left_out)
            write_inputs(folder, rows, example, self._encoder(), self.tokenizer, left_out)

        def example(where: str, row: dict[str, Any]) -> dict[str, Any]:
            return _example(where, row, column)

        fills_masks = module_facts(self.module).fills_masks
        key = ["prompts", self.prompts.key("predict"), self.tokenizer_key(), fills_masks, FORMAT]
        return self.read_inputs(key, write)

    def _encoder(self) -> Any:
        return prompt_encoder(self.tokenizer, module_facts(self.module).fills_masks)


def _file_rows(files: Files, left_out: Counter[str]) -> Iterator[Row]:
    """Yield rows of tables with all their columns, and of other files a row for each document.

    Args:
        files: that are to be predicted.
        left_out: counts the blank lines of the latter.
    """
    for path in files.paths("predict"):
        if suffix(path) in TABLES:
            yield from read_rows(path, files.encoding)
            continue
        skipped, kind = Counter[str](), files.documents_are
        documents = read_documents(path, documents=kind, encoding=files.encoding, skipped=skipped)
        for number, text in enumerate(documents, 1):
            yield f"{path}, {kind} {number}", {files.text_column: text}
        if blank := skipped["blank"]:
            left_out["blank lines, which are no rows"] += blank


def _example(where: str, row: dict[str, Any], column: str) -> dict[str, Any]:
    """Return the text of a row, which may be empty.

    Raises:
        InputError: if there is none.
    """
    require_columns(where, row, [column])
    if not isinstance(row[column], str):
        raise InputError(f"{where}: column {column!r} holds {row[column]!r}, not a text.")
    return {"text": row[column]}
