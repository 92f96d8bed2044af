"""Texts, and pairs of texts, as rows of tokens with special ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...text.findings import Findings
from ...text.tokenizer import joins_bare


def encode_texts(
    tokenizer: Any,
    texts: list[tuple[str, str | None]],
    max_length: int,
    findings: Findings,
    owners: Sequence[int] | None = None,
) -> list[dict[str, list[int]]]:
    """Return token ids and types of texts or pairs with special tokens; note the examples that are truncated.

    Where the tokenizer puts nothing between two texts (GPT-2, Llama), a line feed does.

    Args:
        tokenizer: any.
        texts: one or two in each entry.
        max_length: tokens.
        findings: takes notes.
        owners: the example that each entry belongs to; null where each is one.
    """
    first = [a for a, _ in texts]
    second = [b or "" for _, b in texts] if any(b is not None for _, b in texts) else None
    if second and joins_bare(tokenizer):
        second = ["\n" + text for text in second]
    whole = tokenizer(first, second, return_token_type_ids=True, return_attention_mask=False, verbose=False)
    ids, types = whole["input_ids"], whole["token_type_ids"]
    long = [i for i, row in enumerate(ids) if len(row) > max_length]
    if long:
        for example in sorted(set(long if owners is None else (owners[i] for i in long))):
            findings.note("truncated", example)
        cut = tokenizer(
            [first[i] for i in long],
            [second[i] for i in long] if second else None,
            truncation=True,
            max_length=max_length,
            return_token_type_ids=True,
        )
        for position, i in enumerate(long):
            ids[i], types[i] = cut["input_ids"][position], cut["token_type_ids"][position]
    return [{"input_ids": a, "token_type_ids": b} for a, b in zip(ids, types, strict=True)]
