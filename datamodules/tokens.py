"""Tagged words: named entities, parts of speech, ..."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor

from ..errors import InputError
from ..tags import Scheme, Span, detect, tags_of, to_iob2
from ..tokenization import special_frame
from .cache import cached
from .columns import find_column, text_in
from .encoding import IDEOGRAPH
from .labelled import LabelledDataModule
from .labels import LabelNames
from .rows import Batches, Findings, Padding, Rows, RowsInMemory, Tokens
from .sources import Row

TOKENS_COLUMNS = ("tokens", "words")
TAGS_COLUMNS = ("ner_tags", "tags", "labels", "ner", "pos_tags")
SPANS_COLUMNS = ("entities", "spans", "ner", "labels")
WORD = re.compile(rf"{IDEOGRAPH.pattern}|(?:(?!{IDEOGRAPH.pattern})\w)+|[^\w\s]")


class TokenClassificationDataModule(LabelledDataModule):
    """Sentences with a tag for each word, or texts with labelled spans of characters.

    Tags are converted to IOB2, whatever their scheme. Sentences that are longer than `max_length` come in windows that
    overlap; every word is a target in one of them, where it has most context.

    Batch: `input_ids` and `attention_mask` (rows, length) int64; `token_type_ids` where the tokenizer has them;
    `labels` (rows, length) int64, an index into `labels`, or -100 where nothing is asked; `words` (rows, length) int64,
    the number in its sentence of the word that is answered for here, or -1; `example` (rows,) int64, the sentence.
    Prediction batches have `index` in place of `example`.

    Args:
        train_files: paths, globs or URLs of what is trained on.
        tokens_column: a list of words; null looks for the usual names. CoNLL files (.conll, .iob, .bio, ...) have the
            words in their first column and the tags in the last.
        tags_column: a list of tags, one for each word.
        text_column: a text in place of words; it is split at white space and punctuation, and every Chinese or Japanese
            character is a word.
        spans_column: the spans of a text, as `[{start: 0, end: 5, label: PER}, ...]` or `[[0, 5, PER], ...]`.
        scheme: `iob1`, `iob2` (BIO), `iobes` (or BILOU), or `io` (names without a prefix); null finds it in the data.
        label_names: names of the tags, where the data hold numbers: a list for 0, 1, ..., or a dictionary.
        label_pieces: whether a word's `first` piece is labelled, or `all` of them. Its first answers for it.
        stride: tokens by which windows overlap; null means a quarter of a window.
        predict_texts: texts to predict, in place of files.
        **rows: the options of every datamodule for labelled data: `validation_files`, `dataset`, `max_length`, ...
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
        self.given_scheme = scheme
        self.names = LabelNames(label_names)
        self.label_pieces = label_pieces
        self.stride = stride
        self.predict_texts = [predict_texts] if isinstance(predict_texts, str) else predict_texts
        self.labels: list[str] | None = None
        """The tag names in the order of their indices; known after `setup`."""
        self._training: tuple[Rows, np.ndarray] | None = None
        self._scheme: Scheme | None = None

    # ------------------------------------------------------------------ columns and the scheme

    def options(self) -> Any:
        """Columns, scheme and windows."""
        columns = [self.tokens_column, self.tags_column, self.text_column, self.spans_column]
        return [columns, self.given_scheme, self.names.given, self.label_pieces, self.stride]

    def columns(self, where: str, row: dict[str, Any], labelled: bool) -> dict[str, Any]:
        """Words and tags, or text and spans."""
        words = self.tokens_column or next((name for name in TOKENS_COLUMNS if name in row), None)
        if words is not None and self.text_column is None:
            find_column(where, row, "tokens_column", words, ())
            tags = find_column(where, row, "tags_column", self.tags_column, TAGS_COLUMNS) if labelled else None
            return {"tokens": words, "tags": tags}
        text = find_column(where, row, "tokens_column", self.text_column, ("text", "sentence"))
        spans = find_column(where, row, "spans_column", self.spans_column, SPANS_COLUMNS) if labelled else None
        return {"text": text, "spans": spans}

    def say_columns(self, columns: dict[str, Any]) -> None:
        """Says what was guessed."""
        rank_zero_info("Columns: " + ", ".join(f"{what} {name!r}" for what, name in columns.items() if name) + ".")
        if "tokens" in columns and self.scheme != "iob2":
            rank_zero_info(f"The tags are {self.scheme.upper()}; they are converted to IOB2.")

    @property
    def scheme(self) -> Scheme:
        """The scheme of the tags: as given, or found in the whole training data."""
        if self._scheme is None:
            self._scheme = self.given_scheme or self._found_scheme()
        return self._scheme

    def _found_scheme(self) -> Scheme:
        split = next(split for split in ("train", "validation", "test") if self.source.has(split))

        def sentences() -> Iterator[list[str]]:
            columns = None
            for where, row in self.source.rows(split):
                columns = columns or self.columns(where, row, labelled=True)
                tags = row.get(columns["tags"])
                if isinstance(tags, list):
                    yield [self.names.rename(str(tag)) for tag in tags]

        def make(folder: Path) -> None:
            (folder / "scheme.json").write_text(json.dumps(detect(sentences())))

        key = [self.source.key(split), self.tokens_column, self.tags_column, self.names.given]
        folder = cached(self.cache_dir, "schemes", key, make)
        found: Scheme = json.loads((folder / "scheme.json").read_text())
        return found

    # ------------------------------------------------------------------ sentences

    def example(self, where: str, row: dict[str, Any], columns: dict[str, Any], labelled: bool) -> dict[str, Any]:
        """The text, where its words are, and their tags in IOB2."""
        if "tokens" in columns:
            return self._from_words(where, row, columns, labelled)
        text = text_in(where, row, columns["text"])
        spans = self._spans(where, row.get(columns["spans"]), text) if labelled else []
        # A word ends where a span does, even in the middle.
        edges = sorted({edge for start, end, _ in spans for edge in (start, end)})
        words: list[tuple[int, int]] = []
        for match in WORD.finditer(text):
            inner = [edge for edge in edges if match.start() < edge < match.end()]
            words += zip([match.start(), *inner], [*inner, match.end()], strict=True)
        if not words:
            raise InputError(f"{where}: the text in column {columns['text']!r} has no word.")
        return {"text": text, "words": words, **({"tags": tags_of(words, spans)} if labelled else {})}

    def _from_words(self, where: str, row: dict[str, Any], columns: dict[str, Any], labelled: bool) -> dict[str, Any]:
        tokens = row.get(columns["tokens"])
        if not isinstance(tokens, list) or not tokens or not all(isinstance(t, str) and t.strip() for t in tokens):
            raise InputError(f"{where}: column {columns['tokens']!r} holds {_short(tokens)}, where words should be.")
        words: list[tuple[int, int]] = []
        text = ""
        for before, token in zip(["", *tokens], tokens, strict=False):
            together = IDEOGRAPH.fullmatch(before[-1:]) and IDEOGRAPH.fullmatch(token[:1])
            text += "" if together or not before else " "
            words.append((len(text), len(text) + len(token)))
            text += token
        example: dict[str, Any] = {"text": text, "words": words}
        if labelled:
            tags = row.get(columns["tags"])
            if not isinstance(tags, list) or len(tags) != len(tokens):
                count = len(tags) if isinstance(tags, list) else _short(tags)
                raise InputError(f"{where}: {len(tokens)} words in {columns['tokens']!r}, but {count} tags.")
            if missing := [i for i, tag in enumerate(tags) if tag is None]:
                raise InputError(f"{where}: word {missing[0] + 1} has no tag.")
            example["tags"] = to_iob2(where, [self.names.rename(str(tag)) for tag in tags], self.scheme)
        return example

    def _spans(self, where: str, value: Any, text: str) -> list[Span]:
        if not isinstance(value, list):
            raise InputError(f"{where}: the spans are {_short(value)}, where a list should be.")
        spans: list[Span] = []
        for entry in value:
            try:
                start, end, label = (
                    (entry["start"], entry["end"], entry["label"]) if isinstance(entry, dict) else entry[:3]
                )
            except (KeyError, ValueError, TypeError) as error:
                raise InputError(f"{where}: the span {_short(entry)} has no start, end and label.") from error
            if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text)):
                raise InputError(
                    f"{where}: the span {start} to {end} does not lie in the text ({len(text)} characters)."
                )
            said = entry.get("text") if isinstance(entry, dict) else None
            if said is not None and said != text[start:end]:
                raise InputError(f"{where}: the span {start} to {end} says {said!r}, the text has {text[start:end]!r}.")
            spans.append((start, end, self.names.rename(str(label))))
        spans.sort()
        for (_, end, _), (start, _, _) in pairwise(spans):
            if start < end:
                raise InputError(f"{where}: two spans overlap at character {start}; every word has one tag.")
        return spans

    # ------------------------------------------------------------------ windows

    def encode(self, examples: list[dict[str, Any]], findings: Findings) -> list[list[Tokens]]:
        """The windows of each sentence."""
        if not getattr(self.tokenizer, "is_fast", False):
            raise InputError("Tags of words need a fast tokenizer (one with a tokenizer.json).")
        prefix, suffix = special_frame(self.tokenizer)
        room = self.longest - len(prefix) - len(suffix)
        overlap = room // 4 if self.stride is None else self.stride
        if not 0 <= overlap < room:
            raise InputError(f"data.stride is {overlap}; a window has room for {room} tokens, which must be more.")
        encoded = self.tokenizer(
            [e["text"] for e in examples],
            add_special_tokens=False,
            return_offsets_mapping=True,
            return_attention_mask=False,
            verbose=False,
        )
        rows: list[list[Tokens]] = []
        for e, ids, offsets in zip(examples, encoded["input_ids"], encoded["offset_mapping"], strict=True):
            owner, first = _words_of(offsets, e["words"])
            if lost := len(e["words"]) - len(np.unique(owner[owner >= 0])):
                findings.counts["words without tokens, which count as O"] += lost
            numbers = np.array([findings.number(tag, e["where"]) for tag in e.get("tags", ())], np.int64)
            labels = np.full(len(ids), -100)
            if len(numbers):
                asked = first if self.label_pieces == "first" else owner >= 0
                labels[asked] = numbers[owner[asked]]
            words = np.where(first, owner, -1)
            windows = _windows(len(ids), room, overlap)
            findings.counts["sentences in windows"] += len(windows) > 1
            rows.append([])
            for number, start in enumerate(windows):
                part = slice(start, start + room)
                mine = _mine(owner, first, windows, number, room)[part]
                around = (len(prefix), len(suffix))
                rows[-1].append(
                    {
                        "input_ids": [*prefix, *ids[part], *suffix],
                        "labels": np.pad(np.where(mine, labels[part], -100), around, constant_values=-100),
                        "words": np.pad(np.where(mine, words[part], -1), around, constant_values=-1),
                    }
                )
        if not findings.counts["sentences in windows"]:
            del findings.counts["sentences in windows"]
        return rows

    # ------------------------------------------------------------------ labels and batches

    def inspect(self, rows: dict[str, Rows], fitting: bool) -> None:
        """Finds the tag names: of every type a beginning and a continuation."""
        split, first = next(iter(rows.items()))
        names = self.names.fixed(self.module, fitting)
        column = first.meta["columns"].get("tags")
        own = names or (self.source.class_names(column, split) if column else None)
        kept = [name for name in own or [] if name == "O" or name[:2] in ("B-", "I-")]
        found = {name[2:] for name in [*first.meta["labels"], *kept] if name != "O"}
        whole = ["O", *(f"{prefix}-{kind}" for kind in sorted(found) for prefix in "BI")]
        self.labels = kept + [name for name in whole if name not in kept] if not self._is_fixed(fitting) else names
        self._tables = {
            id(data): LabelNames(None).table(data.meta["labels"], self.labels or [], split)
            for split, data in rows.items()
        }

    def _is_fixed(self, fitting: bool) -> bool:
        return getattr(self.module, "known_labels", lambda fitting: None)(fitting) is not None

    def choose(self, rows: Rows, examples: np.ndarray) -> np.ndarray:
        """Remembers what is trained on, for `label_counts`."""
        self._training = rows, examples
        return examples

    @property
    def label_counts(self) -> list[int]:
        """How often each tag is asked for in training; what balanced weights ask."""
        if self._training is None:
            return []
        rows, examples = self._training
        counts = np.zeros(len(self.labels or []), np.int64)
        table = self._tables[id(rows)]
        for row in rows.of(examples):
            tags = rows[row]["labels"]
            np.add.at(counts, table[tags[tags >= 0]], 1)
        found: list[int] = counts.tolist()
        return found

    def dataset(self, rows: Rows, examples: np.ndarray, split: str) -> Batches:
        """Windows of sentences, in which tags are indices into `labels`."""
        batches: Batches = super().dataset(rows, examples, split)
        batches.collate = TagPadding(self.tokenizer, self._tables[id(rows)])
        return batches

    def predict_dataset(self, rows: Rows | RowsInMemory) -> Batches:
        """Windows of sentences without tags."""
        batches: Batches = super().predict_dataset(rows)
        padding = TagPadding(self.tokenizer, np.zeros(0, np.int64))
        padding.leave_out |= {"labels"}
        batches.collate = padding
        return batches

    def describe(self, split: str, examples: np.ndarray) -> str:
        """The tags there are."""
        kinds = sorted({name[2:] for name in self.labels or [] if name != "O"})
        return f"entities: {', '.join(kinds[:20])}{', ...' if len(kinds) > 20 else ''}"

    def inline_rows(self) -> list[Row] | None:
        """The `predict_texts`."""
        if self.predict_texts is None:
            return None
        name = self.text_column or "text"
        return [(f"data.predict_texts[{i}]", {name: text}) for i, text in enumerate(self.predict_texts)]

    def training_texts(self) -> Iterator[str]:
        """The texts of the training rows."""
        columns = None
        for where, row in self.source.rows("train"):
            columns = columns or self.columns(where, row, labelled=False)
            yield self.example(where, row, columns, labelled=False)["text"]


class TagPadding(Padding):
    """Pads rows, and turns tags as the data number them into indices of labels.

    Args:
        tokenizer: knows the padding.
        table: (tags in the data,), the index of each.
    """

    def __init__(self, tokenizer: Any, table: np.ndarray) -> None:
        super().__init__(tokenizer, values={"words": -1})
        self.table = np.append(table, -100)

    def __call__(self, rows: list[dict[str, np.ndarray]]) -> dict[str, Tensor]:
        """(rows, longest) of each key, int64."""
        rows = [{**row, "labels": self.table[np.maximum(row["labels"], -1)]} for row in rows]
        batch = super().__call__(rows)
        if "token_type_ids" not in self.leave_out:
            batch["token_type_ids"] = batch["input_ids"].new_zeros(batch["input_ids"].shape)
        return batch


def _words_of(offsets: list[tuple[int, int]], words: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """(tokens,): the word that each token belongs to, -1 for none; and whether it is the word's first."""
    starts, ends = np.array(words, np.int64).reshape(-1, 2).T
    begin, end = np.array(offsets, np.int64).reshape(-1, 2).T
    # By its last character: byte-level tokens begin with the space before the word.
    owner = np.searchsorted(starts, end - 1, side="right") - 1
    inside = (end > begin) & (owner >= 0) & (end - 1 < ends[np.maximum(owner, 0)])
    owner = np.where(inside, owner, -1)
    first = np.zeros(len(owner), bool)
    first[np.unique(owner, return_index=True)[1]] = True
    return owner, first & (owner >= 0)


def _windows(tokens: int, room: int, overlap: int) -> list[int]:
    """Where windows begin; the last one ends with the sentence."""
    if tokens <= room:
        return [0]
    return [*range(0, tokens - room, room - overlap), tokens - room]


def _mine(owner: np.ndarray, first: np.ndarray, windows: list[int], number: int, room: int) -> np.ndarray:
    """(tokens,), whether a token's word is a target in this window: where its first token is farthest from an edge."""
    if len(windows) == 1:
        return np.ones(len(owner), bool)
    places = np.flatnonzero(first)
    starts = np.array(windows)[:, None]
    margin = np.minimum(places - starts, starts + room - 1 - places)
    best = margin.argmax(0)
    chosen = np.zeros(int(owner.max(initial=-1)) + 2, bool)
    chosen[owner[places[best == number]]] = True
    chosen[-1] = False  # tokens of no word
    found: np.ndarray = chosen[owner]
    return found


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."
