"""Tagged words: named entities, parts of speech, ..."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..contracts import module_facts
from ..errors import InputError
from ..storage.cache import cached
from ..storage.cells import listed
from ..text.findings import Findings
from ..text.places import begins_late, owners, token_places, words_of
from ..text.readers import conll_line
from ..text.splitting import sort_labels
from ..text.tag_spans import spans_in, tags_of, warn_of_slips
from ..text.tags import Convention, Scheme, detect
from ..text.tokenizer import special_frame
from .batching.batches import Batches
from .batching.tag_windows import TagPadding, count_tags, windows_of, words_apart
from .batching.token_rows import RowsInMemory, TokenRow, TokenRows
from .judging import FIRST_ROWS, JudgingDataModule
from .sources import Row
from .tables.columns import find_column, text_in
from .tables.labels import LabelNames, iob2_names, some_names, warn_of_numbers_in_several_ways
from .tables.tagged_words import joined, tags_in, tags_in_rows, words_in
from .tables.telling_split import say_who_tells, telling_split
from .tables.text_columns import text_rows
from .tables.usable_rows import with_columns

TOKENS_COLUMNS = ("tokens", "words")
TAGS_COLUMNS = ("ner_tags", "tags", "labels", "ner", "pos_tags", "upos", "pos")
SPANS_COLUMNS = ("entities", "spans", "ner", "labels")
WIDENED = "spans that begin or end inside a word, widened to it"
SILENT = "words without a token, which go on with the word before"
SHARED = "words that share a token with a word of another tag, and cannot be told apart"


class TokenClassificationDataModule(JudgingDataModule):
    """Sentences with a tag for each word, or texts with labeled spans of characters.

    Tags of spans are converted to IOB2, whatever their scheme and spelling (`B-X`, `B_X`, `X-B`, `b-x`, or `B` where
    there is one kind); names for every word, such as parts of speech, stay as they are. Sentences that are longer than
    `max_length` come in windows that overlap; every word is a target in one of them, where it has most context.

    Batch: `input_ids` and `attention_mask` (rows, length) int64; `token_type_ids` where the tokenizer has them;
    `labels` (rows, length) int64, an index into `labels`, or -100 where nothing is asked; `words` (rows, length) int64,
    the number in its sentence of the word that is answered for here, or -1; `example` (rows,) int64, the sentence.
    To evaluate also `covers` (rows, length) int64, for how many words, from that one on, a token answers, as some
    tokens hold several; and `gold` (rows, words) int64, the tags of all words, with or without a token, once for each
    sentence, padded with -100. Prediction batches have `index` in place of `example`, and neither `labels` nor `gold`.

    Args:
        train_files: paths, globs or URLs of what is trained on.
        tokens_column: a list of words; null looks for the usual names. CoNLL files (.conll, .iob, .bio, ...) have the
            words in their first column and the tags in the last.
        tags_column: a list of tags, one for each word.
        text_column: a text in place of words; it is split at white space and punctuation, and in scripts without spaces
            (Chinese, Japanese, Thai, ...) every character is a word.
        spans_column: the spans of a text, as `[{start: 0, end: 5, label: PER}, ...]` or `[[0, 5, PER], ...]`.
        scheme: `iob1`, `iob2` (BIO), `iobes` (or BILOU, BMES), `io` (names of entities without a prefix), or `tags` (a
            class for every word, such as parts of speech, scored by accuracy); null finds what most tags follow.
        label_names: names of the tags, where the data hold numbers: a list for 0, 1, ..., or a dictionary.
        label_pieces: whether a word's `first` piece is labeled, or `all` of them. Its first answers for it.
        stride: tokens by which windows overlap; null means a quarter of a window.
        predict_texts: texts to predict, in place of files.
        **rows: the options of every datamodule for labeled data: `validation_files`, `dataset`, `max_length`, ...
    """

    def __init__(
        self,
        train_files: str | list[str] | None = None,
        tokens_column: str | None = None,
        tags_column: str | None = None,
        text_column: str | None = None,
        spans_column: str | None = None,
        scheme: Scheme | None = None,
        label_names: dict[str, str] | list[str] | None = None,
        label_pieces: Literal["first", "all"] = "first",
        stride: int | None = None,
        predict_texts: str | list[str] | None = None,
        **rows: Any,
    ) -> None:
        super().__init__(train_files, **rows)
        self.tokens_column, self.tags_column = tokens_column, tags_column
        self.text_column, self.spans_column = text_column, spans_column
        self.scheme_option = scheme
        self.names = LabelNames(label_names)
        self.label_pieces = label_pieces
        self.stride = stride
        self.predict_texts = [predict_texts] if isinstance(predict_texts, str) else predict_texts
        self.labels: list[str] | None = None
        """The tag names in the order of their indices; known after `setup`."""
        self._convention: Convention | None = None
        self.tagging: bool | None = None
        """Whether tags name words and not spans; known after `setup` for labeled data."""

    # ------------------------------------------------------------------ columns and the scheme

    def options(self) -> Any:
        """Return columns, scheme and windows."""
        columns = [self.tokens_column, self.tags_column, self.text_column, self.spans_column]
        return [columns, self.scheme_option, self.names.option, self.label_pieces, self.stride]

    def columns(self, where: str, row: dict[str, Any], labeled: bool) -> dict[str, Any]:
        """Return words and tags, or text and spans."""
        words = self.tokens_column or next((name for name in TOKENS_COLUMNS if name in row), None)
        if words is not None and self.text_column is None:
            find_column(where, row, "tokens_column", words, ())
            tags = find_column(where, row, "tags_column", self.tags_column, TAGS_COLUMNS) if labeled else None
            return {"tokens": words, "tags": tags}
        text = find_column(where, row, "tokens_column", self.text_column, ("text", "sentence"))
        spans = find_column(where, row, "spans_column", self.spans_column, SPANS_COLUMNS) if labeled else None
        return {"text": text, "spans": spans}

    def say_columns(self, columns: dict[str, Any]) -> None:
        """Say what was guessed."""
        rank_zero_info("Columns: " + ", ".join(f"{what} {name!r}" for what, name in columns.items() if name) + ".")
        if "tokens" in columns and (line := self.convention.said(self.names.option is not None)):
            rank_zero_info(line)

    @property
    def scheme(self) -> Scheme:
        """The scheme of the tags: as given, or found in the whole training data."""
        return self.convention.scheme

    @property
    def convention(self) -> Convention:
        """The scheme and its spelling."""
        if self._convention is None:
            convention = self._found_convention()
            if self.scheme_option in ("io", "tags"):  # names, whatever they look like
                convention = Convention(self.scheme_option)
            elif self.scheme_option is not None:
                convention = replace(convention, scheme=self.scheme_option)
            self._convention = convention
        return self._convention

    def _found_convention(self) -> Convention:
        split = telling_split(self.source, needed=not len(self.predict_rows))
        columns_in = partial(self.columns, labeled=True)
        if split is None:  # there are rows to predict, with tags
            first = ((row, columns_in("", row)["tags"]) for row in self.predict_rows[:FIRST_ROWS])
            return detect(tags_in_rows(first, self.names.rename))
        say_who_tells("the scheme of the tags", split, self.source)

        def make(folder: Path) -> None:
            rows = ((row, columns["tags"]) for _, row, columns in with_columns(self.source.rows(split), columns_in))
            tags = tags_in_rows(rows, self.names.rename)
            (folder / "convention.json").write_text(json.dumps(detect(tags).to_dict()))

        key = [self.source.key(split), self.tokens_column, self.tags_column, self.names.option]
        folder = cached(self.cache_dir, "conventions", key, make)
        return Convention(**json.loads((folder / "convention.json").read_text()))

    # ------------------------------------------------------------------ sentences

    def example(self, where: str, row: dict[str, Any], columns: dict[str, Any], labeled: bool) -> dict[str, Any]:
        """Return the text, where its words are, and their tags in IOB2."""
        if "tokens" in columns:
            return self._from_words(where, row, columns, labeled)
        text = text_in(where, row, columns["text"])
        words = words_of(text)
        if not words:
            raise InputError(f"{where}: the text in column {columns['text']!r} has no word.")
        example: dict[str, Any] = {"text": text, "words": words, "divided": True}
        if labeled:
            spans = spans_in(where, listed(row.get(columns["spans"])), text, self.names.rename)
            example["tags"], example["widened"] = tags_of(where, text, words, spans)
        return example

    def _from_words(self, where: str, row: dict[str, Any], columns: dict[str, Any], labeled: bool) -> dict[str, Any]:
        tokens = words_in(where, row, columns["tokens"])
        text, words = joined(tokens)
        example: dict[str, Any] = {"text": text, "words": words}
        if labeled:
            tags = tags_in(where, row, columns["tags"], len(tokens), columns["tokens"])
            named = [self.names.rename(tag) for tag in tags]
            example["tags"] = self.convention.read(where, named, lambda number: conll_line(where, number))
        return example

    def is_right(self, row: dict[str, Any], predicted: dict[str, Any]) -> bool | None:
        """Return whether all tags are those of the row."""
        tags = self.example("", row, self.columns("", row, True), True)["tags"]
        known = set(tags) <= set(module_facts(self.module).labels or [])
        return bool(predicted["prediction"] == tags) if known else None

    # ------------------------------------------------------------------ windows

    def encode(self, examples: list[dict[str, Any]], findings: Findings) -> list[list[TokenRow]]:
        """Return the windows of each sentence."""
        if not getattr(self.tokenizer, "is_fast", False):
            raise InputError("Tags of words need a fast tokenizer (one with a tokenizer.json).")
        frame = special_frame(self.tokenizer)
        room = self.longest - len(frame[0]) - len(frame[1])
        overlap = room // 4 if self.stride is None else self.stride
        if not 0 <= overlap < room:
            raise InputError(f"data.stride is {overlap}; a window has room for {room} tokens, which must be more.")
        encoded = self.tokenizer(
            [example["text"] for example in examples],
            add_special_tokens=False,
            return_offsets_mapping=True,
            return_attention_mask=False,
            verbose=False,
        )
        late = begins_late(self.tokenizer)
        rows: list[list[TokenRow]] = []
        pairs = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        for number, (example, (ids, offsets)) in enumerate(zip(examples, pairs, strict=True)):
            owner, leader = owners(*token_places(example["text"], offsets, late), example["words"])
            tags = example.get("tags", [])
            numbers = np.array([findings.number(tag, example["where"]) for tag in tags], np.int64)
            sizes = np.bincount(leader, minlength=len(leader))
            rows.append(
                windows_of(ids, owner, sizes, numbers, frame, room, overlap, every_piece=self.label_pieces == "all")
            )
            findings.note(SILENT, number, int((~np.isin(leader, owner)).sum()))
            spans = bool(tags) and ("divided" in example or self.scheme != "tags")
            findings.note(SHARED, number, words_apart(tags, leader, spans))
            findings.note(WIDENED, number, example.get("widened", 0))
            findings.note("sentences in windows", number, len(rows[-1]) > 1)
        return rows

    # ------------------------------------------------------------------ labels and batches

    def inspect(self, rows: dict[str, TokenRows], fitting: bool) -> None:
        """Find the tag names: of every type a beginning and a continuation."""
        split, first = next(iter(rows.items()))
        names = self.names.fixed(self.module, fitting)
        column = first.meta["columns"].get("tags")
        ordered = names or (self.source.class_names(column, split) if column else None)
        self.tagging = column is not None and self.scheme == "tags"
        tags = set(first.meta["labels"])
        if module_facts(self.module).known_labels(fitting) is not None:
            self.labels = names
        elif self.tagging:
            self.labels = ordered if ordered is not None and tags <= set(ordered) else sort_labels(tags)
            warn_of_numbers_in_several_ways(first.meta["labels"], LabelNames(None))
        else:
            self.labels = iob2_names(ordered or [], tags)
            if fitting:
                warn_of_slips(first.meta["labels"], np.bincount(first.all("gold"), minlength=len(first.meta["labels"])))
        self._tables = {
            id(split_rows): LabelNames(None).table(split_rows.meta["labels"], self.labels or [], split)
            for split, split_rows in rows.items()
        }

    @property
    def label_counts(self) -> list[int]:  # type: ignore[override]
        """How often each tag is asked for in training; what balanced weights ask."""
        if (part := self._parts.get("train")) is None:
            return []
        return list(self.words_of_labels(part.rows, part.examples).values())

    def words_of_labels(self, rows: TokenRows, examples: np.ndarray) -> dict[str, int]:
        """Return how many words of some examples are asked for with each tag."""
        counts = count_tags(rows, examples, self._tables[id(rows)], len(self.labels or []))
        return dict(zip(self.labels or [], counts.tolist(), strict=True))

    def dataset(self, rows: TokenRows, examples: np.ndarray, split: str) -> Batches:
        """Return batches of windows, in which tags are indices into `labels`."""
        batches: Batches = super().dataset(rows, examples, split)
        padding = TagPadding(self.tokenizer, self._tables[id(rows)])
        if split == "train":
            padding.leave_out |= {"covers", "gold"}
        batches.collate = padding
        return batches

    def predict_dataset(self, rows: TokenRows | RowsInMemory) -> Batches:
        """Return batches of windows without tags."""
        batches: Batches = super().predict_dataset(rows)
        padding = TagPadding(self.tokenizer, np.zeros(0, np.int64))
        padding.leave_out |= {"labels", "gold"}
        batches.collate = padding
        return batches

    def describe(self, split: str, examples: np.ndarray) -> str:
        """Return the tags there are, in words."""
        if self.tagging:
            return f"tags: {some_names(self.labels or [])}"
        kinds = sorted({name[2:] for name in self.labels or [] if name != "O"})
        return f"entities: {some_names(kinds)}"

    def inline_rows(self) -> list[Row] | None:
        """Return the `predict_texts` as rows."""
        return text_rows(self.predict_texts, self.text_column or "text")

    def training_texts(self) -> Iterator[str]:
        """Return the texts of the training rows."""
        for where, row, columns in self.training_rows(labeled=False):
            yield self.example(where, row, columns, False)["text"]
