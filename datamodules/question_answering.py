"""Questions about a text, answered by a part of it (SQuAD)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..contracts import module_facts
from ..errors import InputError, check_range
from ..storage.cells import listed
from ..text.answers import Scoring, is_exact, scoring_of
from ..text.findings import Findings
from ..text.places import begins_late, token_places
from ..text.splitting import document_hash, held_out_documents
from ..text.tokenizer import PairFrame, joins_bare, pair_frame, special_frame
from .batching.answer_windows import LOST, USABLE, answer_tokens, answer_windows, usability
from .batching.batches import Batches
from .batching.padding import Padding
from .batching.token_rows import RowsInMemory, TokenRow, TokenRows
from .judging import FIRST_ROWS, JudgingDataModule
from .tables.answers import answers_in, placed_answer
from .tables.columns import find_column, text_in


class QuestionAnsweringDataModule(JudgingDataModule):
    """Questions with a context, and the parts of it that answer them; SQuAD's JSON (v1.1 and v2.0) or rows.

    A row has `context`, `question`, an `id`, and `answers`: `{text: [...], answer_start: [...]}` or a list of
    `{text, answer_start}`, empty where there is no answer. A context that is too long comes in windows that overlap.

    Batch: `input_ids` and `attention_mask` (rows, length) int64; `token_type_ids` where the tokenizer has them;
    `start_positions` and `end_positions` (rows,) int64, the first and last token of the answer, or -1 where the window
    does not hold it; `starts` and `ends` (rows, length) int64, which characters of the context a token is, -1 outside
    of it; `example` (rows,) int64, the question. Prediction batches have `index` in place of `example`.

    Args:
        train_files: paths, globs or URLs of what is trained on.
        context_column: the text; null looks for `context`.
        question_column: null looks for `question`.
        answers_column: null looks for `answers`.
        id_column: null takes `id` where it is there, else rows are counted.
        stride: tokens by which windows overlap.
        max_question_length: tokens; longer questions are truncated, which is counted and reported.
        **rows: the options of every datamodule for labeled data: `validation_files`, `dataset`, `max_length`, ...
    """

    def __init__(
        self,
        train_files: str | list[str] | None = None,
        context_column: str | None = None,
        question_column: str | None = None,
        answers_column: str | None = None,
        id_column: str | None = None,
        stride: int = 128,
        max_question_length: int = 64,
        **rows: Any,
    ) -> None:
        super().__init__(train_files, **rows)
        self.context_column, self.question_column = context_column, question_column
        self.answers_column, self.id_column = answers_column, id_column
        self.stride, self.max_question_length = stride, max_question_length
        check_range("data.stride", stride, least=0)
        check_range("data.max_question_length", max_question_length, least=1)
        self.unanswerable = False
        """Whether some questions have no answer; known after `setup`."""
        self._seen: dict[str, str] = {}
        self._scoring: Scoring | None = None

    def options(self) -> Any:
        """Return columns and windows."""
        columns = [self.context_column, self.question_column, self.answers_column, self.id_column]
        return [columns, self.stride, self.max_question_length]

    # ------------------------------------------------------------------ questions

    def columns(self, where: str, row: dict[str, Any], labeled: bool) -> dict[str, str | None]:
        """Return the columns of context, question, answers and id."""
        self._seen = {}
        columns: dict[str, str | None] = {
            "context": find_column(where, row, "context_column", self.context_column, ("context", "passage")),
            "question": find_column(where, row, "question_column", self.question_column, ("question",)),
        }
        columns["answers"] = (
            find_column(where, row, "answers_column", self.answers_column, ("answers", "answer")) if labeled else None
        )
        columns["id"] = self.id_column or ("id" if "id" in row else None)
        return columns

    def example(self, where: str, row: dict[str, Any], columns: dict[str, Any], labeled: bool) -> dict[str, Any]:
        """Return context, question, gold answers, and where the first of them begins (-1 where it does not)."""
        context = text_in(where, row, columns["context"])
        example: dict[str, Any] = {"context": context, "question": text_in(where, row, columns["question"]).strip()}
        example["id"] = str(row.get(columns["id"])) if columns["id"] else str(len(self._seen))
        if example["id"] in self._seen:
            raise InputError(f"{where}: the id {example['id']!r} is also that of {self._seen[example['id']]}.")
        self._seen[example["id"]] = where
        if labeled:
            golds = [placed_answer(context, *gold) for gold in answers_in(where, listed(row.get(columns["answers"])))]
            example["answers"] = [text for text, _, _ in golds]
            _, example["span"], example["repaired"] = golds[0] if golds else ("", (-2, -2), False)
        return example

    def is_right(self, row: dict[str, Any], predicted: dict[str, Any]) -> bool:
        """Return whether an answer is one of the row's, by the rules of the benchmark; none, where there is none."""
        columns = self.columns("", row, True)
        context = text_in("", row, columns["context"] or "")
        golds = [placed_answer(context, *gold)[0] for gold in answers_in("", listed(row.get(columns["answers"] or "")))]
        return is_exact(predicted["prediction"], golds, self._rules(columns["answers"] or ""))

    def _rules(self, column: str) -> Scoring:
        """Return whose rules judge: those of the module, else those for the language of the answers."""
        asked = module_facts(self.module).scoring
        if asked is None and self._scoring is None:
            golds: list[str] = []
            for row in self.predict_rows[:FIRST_ROWS]:
                with suppress(InputError):
                    golds += [text for text, _ in answers_in("", listed(row.get(column)))]
            self._scoring = scoring_of(golds)
        return asked or self._scoring or "squad"

    # ------------------------------------------------------------------ windows

    def encode(self, examples: list[dict[str, Any]], findings: Findings) -> list[list[TokenRow]]:
        """Return the windows of each question."""
        if not getattr(self.tokenizer, "is_fast", False):
            raise InputError("Answers need a fast tokenizer (one with a tokenizer.json), which says where tokens are.")
        frame = self._frame()
        contexts = {text: place for place, text in enumerate(dict.fromkeys(example["context"] for example in examples))}
        options = {"add_special_tokens": False, "return_attention_mask": False, "verbose": False}
        encoded = self.tokenizer(list(contexts), return_offsets_mapping=True, **options)
        questions = self.tokenizer([example["question"] for example in examples], **options)["input_ids"]
        late_begins = begins_late(self.tokenizer)
        places = [token_places(text, encoded["offset_mapping"][i], late_begins) for text, i in contexts.items()]
        rows: list[list[TokenRow]] = []
        for number, (example, question) in enumerate(zip(examples, questions, strict=True)):
            findings.note("questions truncated", number, len(question) > self.max_question_length)
            findings.note("answers found at another place than said", number, bool(example.get("repaired")))
            context_number = contexts[example["context"]]
            cut = question[: self.max_question_length]
            answer = answer_tokens(example, *places[context_number])
            ids = encoded["input_ids"][context_number]
            windows = answer_windows(
                example["where"],
                answer,
                cut,
                ids,
                *places[context_number],
                frame,
                longest=self.longest,
                stride=self.stride,
            )
            usable = usability(example, answer, windows)
            if usable != USABLE:
                findings.note(f"kept to evaluate, not to train, as {LOST[usable]}", number)
                windows = [{**window, "usable": [usable]} for window in windows]
            findings.note("windows", number, len(windows))
            rows.append(windows)
        return rows

    def _frame(self) -> PairFrame:
        if not joins_bare(self.tokenizer):
            return pair_frame(self.tokenizer)
        before, after = special_frame(self.tokenizer)
        between = self.tokenizer("\n", add_special_tokens=False)["input_ids"]
        return PairFrame(before, between, after, (0, 0, 0, 0, 0))

    # ------------------------------------------------------------------ splits and batches

    def inspect(self, rows: dict[str, TokenRows], fitting: bool) -> None:
        """Find out whether some questions have no answer."""
        self.unanswerable = any(bool((data.all("answer") == -2).any()) for data in rows.values())

    def hold_out(self, rows: TokenRows) -> tuple[np.ndarray, np.ndarray]:
        """Hold out by context: no text is trained on that is validated on."""
        self._require_usable(rows)
        hashes = np.array([document_hash(rows.examples[i]["context"], self.seed) for i in range(len(rows.examples))])
        held = held_out_documents(hashes, self.validation_fraction, self.source.name("train"), "context")
        return np.flatnonzero(~held), np.flatnonzero(held)

    def choose(self, rows: TokenRows, examples: np.ndarray) -> np.ndarray:
        """Return those whose answer is in the context; name the others."""
        self._require_usable(rows)
        codes = rows.all("usable")[np.searchsorted(rows.owners, examples)]
        for code in np.unique(codes[codes != USABLE]).tolist():
            unusable = examples[codes == code]
            named = ", ".join(rows.examples[int(i)]["id"] for i in unusable[:5])
            more = f" and {len(unusable) - 5:,} more" if len(unusable) > 5 else ""
            rank_zero_info(f"Not trained on, as {LOST[code]}: {named}{more}.")
        return self.drawn(rows, examples)

    def drawn(self, rows: TokenRows, examples: np.ndarray) -> np.ndarray:
        """Return those whose answer is in the context."""
        kept: np.ndarray = examples[rows.all("usable")[np.searchsorted(rows.owners, examples)] == USABLE]
        return kept

    def _require_usable(self, rows: TokenRows) -> None:
        """Raise an `InputError` if no question at all can be trained on."""
        codes = rows.all("usable")
        if not (codes == USABLE).any():
            why = ", or ".join(LOST[code] for code in np.unique(codes).tolist())
            raise InputError(f"No question of {self.source.name('train')} can be trained on, as {why}.")

    def collate(self) -> Padding:
        """Return a padding that fills places of characters with -1."""
        padding = Padding(self.tokenizer, values={"starts": -1, "ends": -1})
        padding.leave_out |= {"answer", "usable"}
        return padding

    def dataset(self, rows: TokenRows, examples: np.ndarray, split: str) -> Batches:
        """Return batches of windows with the answer's first and last token."""
        batches: Batches = super().dataset(rows, examples, split)
        answers = np.maximum(rows.all("answer").reshape(-1, 2)[batches.picked], -1).astype(np.int64)
        batches.columns |= {"start_positions": answers[:, 0], "end_positions": answers[:, 1]}
        return batches

    def predict_dataset(self, rows: TokenRows | RowsInMemory) -> Batches:
        """Return batches of windows."""
        batches: Batches = super().predict_dataset(rows)
        return batches

    def training_texts(self) -> Iterator[str]:
        """Return questions, and contexts once each."""
        seen = set()
        for _, row, columns in self.training_rows(labeled=False):
            yield str(row[columns["question"] or ""])
            context = str(row[columns["context"] or ""])
            if hash(context) not in seen:
                seen.add(hash(context))
                yield context
