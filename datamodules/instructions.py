"""Instructions and conversations with answers to learn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..contracts import IGNORED
from ..errors import InputError
from ..storage.cells import is_missing
from ..text.chat import ChatFormat, Message, answer_tokens, messages_in, read_template
from ..text.findings import Findings
from .batching.batches import Batches
from .batching.packed_rows import PackedRows
from .batching.padding import Padding
from .batching.token_rows import RowsInMemory, TokenRow, TokenRows
from .labeled import LabeledDataModule
from .sources import Row
from .tables.columns import find_column, text_in
from .tables.text_columns import text_rows

MESSAGES_COLUMNS = ("messages", "conversations", "conversation", "chat")
INSTRUCTION_COLUMNS = ("instruction", "prompt", "question", "query")
SYSTEM_COLUMNS = ("system", "system_prompt", "system_message")
INPUT_COLUMNS = ("input", "context")
OUTPUT_COLUMNS = ("output", "response", "completion", "answer", "chosen")
CUT_OFF = "left out, as their answers begin after data.max_length"
REWRITTEN = "conversations whose earlier answers are not learned, as the chat template rewrites them"
TOO_LONG = "prompts cut at their beginning"


class InstructionDataModule(LabeledDataModule):
    """Conversations, rendered by the tokenizer's chat template, of which the answers are learned.

    Batch: `input_ids` and `attention_mask` (rows, length) int64; `labels` (rows, length) int64, the token itself on
    answers with the token that ends a turn, -100 elsewhere. With `packing`: `input_ids`, `position_ids` and `labels`
    (1, tokens) int64 with `cu_seq_lens` (conversations + 1,) int32; one conversation does not see another. Both have
    `example` (conversations,) int64, the number in `examples(split)`. Prediction batches hold prompts, padded on the
    left, without labels, and `index` (rows,) int64, the row in `predict_rows`.

    A conversation that is longer than `max_length` is cut at its end; where no token of an answer is left, it is left
    out. Both are counted and reported.

    A tokenizer without a chat template gets a plain one, which is saved with the model: "### Instruction:", a line
    feed, what is asked, a blank line, "### Response:", a line feed, the answer, the end of text.

    Args:
        train_files: paths, globs or URLs of what is trained on.
        instruction_column: what is asked; null looks for the usual names.
        input_column: what the instruction is about, added to it after a blank line (and "### Input:", in the plain
            template); null looks for the usual names.
        output_column: the answer; null looks for the usual names.
        system_column: what the system says before it; null looks for the usual names (`system`, `system_prompt`, ...).
        messages_column: a conversation, as a list of `{role, content}` or `{from, value}`; null looks for the usual
            names, before those of instructions.
        chat_template: a template in Jinja or a file that holds one; `plain`; null means the tokenizer's own, or plain
            where it has none.
        packing: fill rows of up to `max_length` tokens with whole conversations; `batch_size` then counts such rows.
        predict_texts: instructions to answer, in place of files.
        **rows: the options of every datamodule for labeled data: `validation_files`, `dataset`, `max_length`, ...
    """

    def __init__(
        self,
        train_files: str | list[str] | None = None,
        instruction_column: str | None = None,
        input_column: str | None = None,
        output_column: str | None = None,
        system_column: str | None = None,
        messages_column: str | None = None,
        chat_template: str | None = None,
        packing: bool = False,
        predict_texts: str | list[str] | None = None,
        **rows: Any,
    ) -> None:
        super().__init__(train_files, **rows)
        if messages_column and (instruction_column or input_column or output_column or system_column):
            raise InputError(
                "data.messages_column holds whole conversations: leave out data.instruction_column, input_column, "
                "output_column and system_column."
            )
        self.named_columns = {"instruction": instruction_column, "input": input_column, "output": output_column}
        self.named_columns["system"] = system_column
        self.messages_column = messages_column
        self.chat_template = chat_template
        self.packing = packing
        self.predict_texts = [predict_texts] if isinstance(predict_texts, str) else predict_texts
        self._format: ChatFormat | None = None
        self._joint = "\n\n"

    # ------------------------------------------------------------------ template

    def load_tokenizer(self) -> None:
        """Give the tokenizer the chat template, which is then saved with the model."""
        super().load_tokenizer()
        if self._format is None:
            if not self.tokenizer.is_fast:
                raise InputError(
                    "InstructionDataModule needs a fast tokenizer (one with a tokenizer.json), which knows where each "
                    "token stands in the text."
                )
            template, plain = read_template(self.chat_template, self.tokenizer)
            if plain:
                rank_zero_info("Chat template: the plain default (### Instruction: ... ### Response: ...).")
            # By the template, as that of an earlier run comes back with its tokenizer.
            self._joint = "\n\n### Input:\n" if "### Instruction:" in template else "\n\n"
            self.tokenizer.chat_template = template
            self._format = ChatFormat(self.tokenizer, template)

    @property
    def format(self) -> ChatFormat:
        """Renders conversations; known once the tokenizer is."""
        assert self._format is not None
        return self._format

    # ------------------------------------------------------------------ rows

    def options(self) -> Any:
        """Return columns and template; packing divides the same rows."""
        return [self.named_columns, self.messages_column, self.format.template, self._joint]

    def columns(self, where: str, row: dict[str, Any], labeled: bool) -> dict[str, str | None]:
        """Return the column of the messages, or those of instruction, input and output."""
        messages = self.messages_column
        if messages is None and not any(self.named_columns.values()):
            messages = next((name for name in MESSAGES_COLUMNS if name in row), None)
        if messages is not None:
            return {"messages": find_column(where, row, "messages_column", messages, ())}
        options = "messages_column (a conversation) or data.instruction_column"
        instruction = find_column(where, row, options, self.named_columns["instruction"], INSTRUCTION_COLUMNS)
        input_column = (
            self.named_columns["input"] if labeled or self.predict_texts is None else None
        )  # texts alone have none
        usual_inputs = [name for name in INPUT_COLUMNS if name in row]
        about = None
        if input_column or usual_inputs:
            about = find_column(where, row, "input_column", input_column, usual_inputs)
        output = None
        if labeled:
            output = find_column(where, row, "output_column", self.named_columns["output"], OUTPUT_COLUMNS)
        system = self.named_columns["system"] or next((name for name in SYSTEM_COLUMNS if name in row), None)
        if system is not None and (labeled or self.predict_texts is None):
            find_column(where, row, "system_column", system, ())
        return {"system": system, "instruction": instruction, "input": about, "output": output}

    def say_columns(self, columns: dict[str, str | None]) -> None:
        """Say what was guessed."""
        if not self.messages_column and not (self.named_columns["instruction"] and self.named_columns["output"]):
            named = ", ".join(f"{what} {name!r}" for what, name in columns.items() if name is not None)
            rank_zero_info(f"Columns: {named}.")

    def example(self, where: str, row: dict[str, Any], columns: dict[str, str | None], labeled: bool) -> dict[str, Any]:
        """Return the conversation as a text, and where its answers are; or the prompt."""
        messages = self._messages(where, row, columns)
        if not labeled:
            if all(message["role"] != "user" for message in messages):
                raise InputError(f"{where}: nobody asks anything in this conversation.")
            return {"text": self.format.prompt(where, messages)}
        conversation = self.format.answered(where, messages)
        return {"text": conversation.text, "answers": conversation.answers, "lost": conversation.lost}

    def _messages(self, where: str, row: dict[str, Any], columns: dict[str, str | None]) -> list[Message]:
        if (column := columns.get("messages")) is not None:
            return messages_in(where, row.get(column), column)
        asked = text_in(where, row, columns["instruction"] or "")
        about = row.get(columns["input"] or "")
        if isinstance(about, str) and not is_missing(about):
            asked += self._joint + about
        system = row.get(columns["system"] or "")
        messages: list[Message] = []
        if isinstance(system, str) and not is_missing(system):
            messages.append({"role": "system", "content": system})
        messages.append({"role": "user", "content": asked})
        if columns["output"] is not None:
            messages.append({"role": "assistant", "content": text_in(where, row, columns["output"])})
        return messages

    def encode(self, examples: list[dict[str, Any]], findings: Findings) -> list[list[TokenRow]]:
        """Return one row of tokens each, or none where the answers are cut off."""
        # Templates write special tokens themselves.
        encoded = self.tokenizer(
            [example["text"] for example in examples],
            add_special_tokens=False,
            return_offsets_mapping=True,
            verbose=False,
        )
        rows: list[list[TokenRow]] = []
        pairs = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        for number, (example, (ids, offsets)) in enumerate(zip(examples, pairs, strict=True)):
            long = len(ids) > self.longest
            if "answers" not in example:
                findings.note(TOO_LONG, number, long)
                rows.append([{"input_ids": ids[-self.longest :]}])
                continue
            in_answer = answer_tokens(offsets, example["answers"])
            labels = [token if learned else IGNORED for token, learned in zip(ids, in_answer, strict=True)]
            labels = labels[: self.longest]
            kept = any(label != IGNORED for label in labels[1:])  # nothing is before the first
            findings.note("truncated", number, long)
            findings.note(REWRITTEN, number, example["lost"] > 0)
            findings.note(CUT_OFF, number, not kept)
            rows.append([{"input_ids": ids[: self.longest], "labels": labels}] if kept else [])
        return rows

    def inspect(self, rows: dict[str, TokenRows], fitting: bool) -> None:
        """Refuse a split of which nothing is left."""
        for split, split_rows in rows.items():
            if not len(split_rows):
                raise InputError(
                    f"{self.source.name(split)}: every answer begins after data.max_length ({self.longest} tokens); "
                    "raise it."
                )

    def describe(self, split: str, examples: np.ndarray) -> str:
        """Return how much of the text is learned."""
        rows: Any = self.rows[split]
        chosen = np.repeat(np.isin(rows.owners, examples), rows.stores["labels"].lengths)
        return f"{(rows.all('labels')[chosen] != IGNORED).mean():.0%} of the tokens are answers"

    # ------------------------------------------------------------------ batches

    def dataset(self, rows: TokenRows, examples: np.ndarray, split: str) -> Any:
        """Return batches of padded rows, or of packs."""
        if not self.packing:
            return super().dataset(rows, examples, split)
        return PackedRows(rows, rows.of(examples), self.longest, bool(self.tokens_per_batch))

    def predict_dataset(self, rows: TokenRows | RowsInMemory) -> Batches:
        """Return batches of prompts, which are continued at their right end."""
        padding = Padding(self.tokenizer, left=True)
        return Batches(rows, None, padding, {"index": rows.owners}, rows.mapped_lengths)

    def inline_rows(self) -> list[Row] | None:
        """Return the `predict_texts` as rows."""
        if self.predict_texts is None:
            return None
        self.messages_column = None
        return text_rows(self.predict_texts, self.named_columns["instruction"] or "instruction")

    def training_texts(self) -> Iterator[str]:
        """Return what is said in the training rows."""
        for where, row, columns in self.training_rows(labeled=True):
            yield from (message["content"] for message in self._messages(where, row, columns))
