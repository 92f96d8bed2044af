"""Texts to be turned into other texts: summaries, translations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..contracts import IGNORED, module_facts
from ..errors import InputError
from ..text.findings import Findings
from ..text.tokenizer import special_frame
from .batching.batches import Batches
from .batching.padding import Padding
from .batching.token_rows import RowsInMemory, TokenRow, TokenRows
from .labeled import LabeledDataModule
from .sources import Row
from .tables.columns import find_column
from .tables.text_columns import text_rows

PAIRS = (
    ("article", "highlights"),
    ("document", "summary"),
    ("dialogue", "summary"),
    ("source", "target"),
    ("text", "summary"),
    ("src", "tgt"),
    ("input", "output"),
    ("input", "target"),
    ("text", "target"),
)
"""Usual names of the columns of sources and targets, those of a data set together."""
LONGEST_TARGET = 128


class SequenceToSequenceDataModule(LabeledDataModule):
    """Sources, each with a target text.

    Batch for an encoder-decoder: `input_ids` and `attention_mask` (rows, source length) int64; `labels` (rows, target
    length) int64, the target with its special tokens, -100 after the end. For a decoder, prompt, source, separator,
    target and end of text in one row: `input_ids`, `attention_mask` and `labels` (rows, length) int64, labels -100 but
    on the target. Both have `example` (rows,) int64, the number in `examples(split)`. Prediction batches have no
    labels, and `index` (rows,) int64, the row in `predict_rows`; those for a decoder hold everything before the target
    and are padded on the left. Sources and targets that are too long are truncated, which is counted and reported.

    Args:
        train_files: paths, globs or URLs of what is trained on.
        source_column: null looks for the usual names. A dot leads into an object: `translation.en`.
        target_column: the same.
        source_lang: with rows such as `translation: {en: ..., de: ...}`, the language to translate from; also told to
            tokenizers that know languages (mBART's `en_XX` finds the key `en`).
        target_lang: the language to translate into.
        source_prefix: put before every source, such as "summarize: " for T5.
        separator: between source and target, for a decoder.
        max_target_length: tokens at most, special ones included. null means 128, or what the backbone allows.
        shape: `encoder-decoder` or `decoder`; null asks the module, whose backbone knows.
        predict_texts: sources to predict, in place of files.
        **rows: the options of every datamodule for labeled data: `validation_files`, `dataset`, `max_length` (of the
            source, with what is put before and after it), ...
    """

    def __init__(
        self,
        train_files: str | list[str] | None = None,
        source_column: str | None = None,
        target_column: str | None = None,
        source_lang: str | None = None,
        target_lang: str | None = None,
        source_prefix: str = "",
        separator: str = "\n\n",
        max_target_length: int | None = None,
        shape: Literal["encoder-decoder", "decoder"] | None = None,
        predict_texts: str | list[str] | None = None,
        **rows: Any,
    ) -> None:
        super().__init__(train_files, **rows)
        if max_target_length is not None and max_target_length < 2:
            raise InputError(f"data.max_target_length is {max_target_length}; a token and the end need at least 2.")
        if (source_lang is None) != (target_lang is None):
            raise InputError("data.source_lang and data.target_lang belong together: give both, or neither.")
        self.source_column, self.target_column = source_column, target_column
        self.source_lang, self.target_lang = source_lang, target_lang
        self.source_prefix = source_prefix
        self.separator = separator
        self.max_target_length = max_target_length
        self.shape = shape
        self.predict_texts = [predict_texts] if isinstance(predict_texts, str) else predict_texts

    # ------------------------------------------------------------------ shape and lengths

    @property
    def one_row(self) -> bool:
        """Whether source and target stand in one row, as a decoder reads them."""
        if self.shape is not None:
            return self.shape == "decoder"
        return bool(module_facts(self.module).one_row)

    @property
    def around_source(self) -> tuple[str, str]:  # type: ignore[override]
        """What stands before a source, and after it where the target follows in one row."""
        return self.source_prefix, self.separator if self.one_row else ""

    def _limit(self) -> int | None:
        return module_facts(self.module).input_limit()

    @property
    def longest_target(self) -> int:  # type: ignore[override]
        """The longest target in tokens."""
        if self.max_target_length is not None:
            return self.max_target_length
        limit = self._limit() or 2 * LONGEST_TARGET
        return min(LONGEST_TARGET, limit // 2 if self.one_row else limit)

    @property
    def longest(self) -> int:  # type: ignore[override]
        """The longest source in tokens; for a decoder, what fits before the longest target."""
        allowed, limit = super().longest, self._limit()
        if self.max_length is None and self.one_row and limit is not None:
            return max(4, min(allowed, limit - self.longest_target))
        return allowed

    def load_tokenizer(self) -> None:
        """Tell a multilingual tokenizer its languages."""
        super().load_tokenizer()
        if self.source_lang is not None and hasattr(self.tokenizer, "src_lang"):
            languages = getattr(self.tokenizer, "additional_special_tokens", None) or self.tokenizer.get_added_vocab()
            for option, code in (("source_lang", self.source_lang), ("target_lang", self.target_lang)):
                if self.tokenizer.convert_tokens_to_ids(code) in (None, self.tokenizer.unk_token_id):
                    examples = ", ".join(list(languages)[:8])
                    raise InputError(
                        f"data.{option} is {code!r}, which the tokenizer does not know; it has: {examples}, ..."
                    )
            self.tokenizer.src_lang, self.tokenizer.tgt_lang = self.source_lang, self.target_lang

    # ------------------------------------------------------------------ rows

    def options(self) -> Any:
        """Return all that shapes a row."""
        columns = [self.source_column, self.target_column, self.source_lang, self.target_lang]
        shape = [self.source_prefix, self.separator if self.one_row else None, self.one_row, self.longest_target]
        return [columns, shape]

    def columns(self, where: str, row: dict[str, Any], labeled: bool) -> tuple[str, str | None]:
        """Return the columns of source and target, with dots into objects."""
        source, target = self.source_column, self.target_column
        translations = row.get("translation")
        if isinstance(translations, dict) and (source is None or target is None):
            if self.source_lang is None or self.target_lang is None:
                raise InputError(
                    f"{where}: which way is it translated? Set data.source_lang and data.target_lang to two of: "
                    f"{', '.join(translations)}."
                )
            source = source or f"translation.{_language(self.source_lang, translations)}"
            target = target or f"translation.{_language(self.target_lang, translations)}"
        if source is None and target is None:
            source, target = next(((a, b) for a, b in PAIRS if a in row and b in row), (None, None))
        sources = sorted((a for a, b in PAIRS if a != target), key=lambda a: (a, target) not in PAIRS)
        source = source or find_column(where, row, "source_column", None, sources)
        _look_up(where, row, source)
        if not labeled:
            return source, None
        targets = sorted((b for a, b in PAIRS if b != source), key=lambda b: (source, b) not in PAIRS)
        target = target or find_column(where, row, "target_column", None, targets)
        _look_up(where, row, target)
        return source, target

    def say_columns(self, columns: tuple[str, str | None]) -> None:
        """Say what was guessed."""
        if self.source_column is None or self.target_column is None:
            rank_zero_info(f"Columns: source {columns[0]!r}, target {columns[1]!r}.")

    def example(
        self, where: str, row: dict[str, Any], columns: tuple[str, str | None], labeled: bool
    ) -> dict[str, Any]:
        """Return source and target."""
        source, target = columns
        example = {"source": _text(where, row, source, "source")}
        if labeled and target is not None:
            example["target"] = _text(where, row, target, "target")
        return example

    def encode(self, examples: list[dict[str, Any]], findings: Findings) -> list[list[TokenRow]]:
        """Return one row each: the source, and the target as labels."""
        sources = [self.source_prefix + e["source"] for e in examples]
        targets = [e["target"] for e in examples] if "target" in examples[0] else None
        rows: list[dict[str, Any]] = [{"input_ids": ids} for ids in self._sources(sources, findings)]
        for row, ids in zip(rows, self._targets(targets, findings) if targets else [], strict=bool(targets)):
            row["labels"] = [IGNORED] * len(row["input_ids"]) + ids if self.one_row else ids
            if self.one_row:
                row["input_ids"] = row["input_ids"] + ids
        return [[row] for row in rows]

    def _sources(self, texts: list[str], findings: Findings) -> list[list[int]]:
        if not self.one_row:
            rows = self.tokenizer(texts, verbose=False)["input_ids"]
            return _shortened(self.tokenizer, rows, texts, self.longest, findings, "truncated")
        begin = special_frame(self.tokenizer)[0]
        between: list[int] = self.tokenizer(self.separator, add_special_tokens=False)["input_ids"]
        room = self.longest - len(begin) - len(between)
        if room < 1:
            raise InputError(f"data.max_length is {self.longest}, which data.separator alone fills.")
        plain = self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        for number, ids in enumerate(plain):
            findings.note("truncated", number, len(ids) > room)
        return [[*begin, *ids[:room], *between] for ids in plain]

    def _targets(self, texts: list[str], findings: Findings) -> list[list[int]]:
        name, longest = f"targets truncated to {self.longest_target} tokens", self.longest_target
        end = next((i for i in (self.tokenizer.eos_token_id, self.tokenizer.sep_token_id) if i is not None), None)
        if not self.one_row:
            rows = self.tokenizer(text_target=texts, verbose=False)["input_ids"]
            closed = bool(rows[0]) and rows[0][-1] in self.tokenizer.all_special_ids
            if closed or end is None:
                return _shortened(self.tokenizer, rows, texts, longest, findings, name, target=True)
        else:
            rows = self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        tail = [] if end is None else [end]  # by which the model learns to stop
        for number, ids in enumerate(rows):
            findings.note(name, number, len(ids) + len(tail) > longest)
        return [[*ids[: longest - len(tail)], *tail] for ids in rows]

    # ------------------------------------------------------------------ batches

    def references(self, split: str, numbers: Sequence[int]) -> list[str]:
        """Return the target texts of examples, by the numbers that batches have under `example`; what scores go by."""
        examples = self.examples(split)
        return [examples[number]["target"] for number in numbers]

    def predict_dataset(self, rows: TokenRows | RowsInMemory) -> Batches:
        """Return batches of what is before the target; a decoder goes on at the right end."""
        padding = Padding(self.tokenizer, left=self.one_row)
        return Batches(rows, None, padding, {"index": rows.owners}, rows.mapped_lengths)

    def inline_rows(self) -> list[Row] | None:
        """Return the `predict_texts` as rows."""
        return text_rows(self.predict_texts, self.source_column or "source")

    def training_texts(self) -> Iterator[str]:
        """Return sources and targets of the training rows."""
        for where, row, columns in self.training_rows(labeled=True):
            for column in columns:
                text = _look_up(where, row, column or "")
                if isinstance(text, str):
                    yield self.source_prefix + text


def _shortened(
    tokenizer: Any,
    rows: list[list[int]],
    texts: list[str],
    longest: int,
    findings: Findings,
    name: str,
    target: bool = False,
) -> list[list[int]]:
    """Return rows of tokens with special ones, of which those too long are truncated, and noted."""
    long = [i for i, row in enumerate(rows) if len(row) > longest]
    if long:
        for number in long:
            findings.note(name, number)
        long_texts = [texts[i] for i in long]
        texts_as = {"text_target" if target else "text": long_texts}
        truncated = tokenizer(**texts_as, truncation=True, max_length=longest)
        for i, row in zip(long, truncated["input_ids"], strict=True):
            rows[i] = row
    return rows


def _look_up(where: str, row: dict[str, Any], column: str) -> Any:
    """Return what stands in a column; dots lead into objects, unless a column is named with them."""
    value: Any = row
    for name in [column] if column in row else column.split("."):
        if not isinstance(value, dict) or name not in value:
            names = ", ".join(value) if isinstance(value, dict) else repr(value)
            raise InputError(f"{where}: there is no column {column!r}; there are: {names}.")
        value = value[name]
    return value


def _text(where: str, row: dict[str, Any], column: str, what: str) -> str:
    value = _look_up(where, row, column)
    if not isinstance(value, str) or not value.strip():
        kind = "empty" if value is None or value == "" or isinstance(value, str) else f"no text: {value!r}"
        raise InputError(f"{where}: the {what} in column {column!r} is {kind}.")
    return value


def _language(code: str, translations: dict[str, Any]) -> str:
    """Return the key of a language: as it is written, or without the region (`en` for `en_XX`)."""
    return code if code in translations else code.split("_")[0]
