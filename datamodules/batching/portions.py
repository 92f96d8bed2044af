"""Examples in portions that are worth a call of the tokenizer, and fit into memory as tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from ...errors import InputError
from ...text.encoding import BATCH_CHARACTERS
from ...text.findings import Findings
from .token_rows import TokenRow

ROWS_AT_ONCE = 2_000
LONGEST_ROW = 5_000_000
"""Characters."""


def characters(value: Any) -> int:
    """Return how many characters all texts of plain data have."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(characters, value.values()))
    return sum(map(characters, value)) if isinstance(value, list | tuple) else 0


def with_place(where: str, example: dict[str, Any]) -> dict[str, Any]:
    """Return an example with the place where it stands.

    Raises:
        InputError: if it is too long.
    """
    if (size := characters(example)) > LONGEST_ROW:
        raise InputError(
            f"{where}: a row of {size:,} characters, where {LONGEST_ROW:,} is the most that fits into memory as "
            "tokens: divide its text."
        )
    return {**example, "where": where}


def next_portion(examples: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the next examples, as many as are worth a call and fit into memory as tokens; none at the end."""
    batch: list[dict[str, Any]] = []
    size = 0
    for example in islice(examples, ROWS_AT_ONCE):
        batch.append(example)
        size += characters(example)
        if size >= BATCH_CHARACTERS:
            break
    return batch


def encode_portion(
    examples: list[dict[str, Any]],
    encode: Callable[[list[dict[str, Any]], Findings], list[list[TokenRow]]],
    tokenizer: Any,
    findings: Findings,
) -> list[list[TokenRow]]:
    """Return the rows of tokens of each example.

    Args:
        examples: a portion, each with its place.
        encode: takes examples to their rows.
        tokenizer: with which it does so.
        findings: takes notes; it then goes on with the example after these.
    """
    rows = encode(examples, findings)
    findings.note_unknown(rows, tokenizer)
    findings.first += len(examples)
    return rows
