"""What a step makes of rows of tokens, as plain data for a person to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...contracts import Role, ShownRow, ShownText, pack_place

ROLES: tuple[Role, ...] = ("read", "special", "ignored", "learned", "masked", "replaced", "padding")


def shown_texts(
    ids: Tensor,
    real: Tensor,
    tokenizer: Any,
    *,
    learned: Tensor | None = None,
    ignored: Tensor | None = None,
    original: Tensor | None = None,
    name: str = "",
    read_only: bool = False,
) -> list[ShownText]:
    """Return a text for each row of token ids.

    Args:
        ids: (rows, length), as they are read.
        real: (rows, length), boolean; False on padding.
        tokenizer: knows special tokens and the mask; or None.
        learned: (rows, length), boolean: what is predicted.
        ignored: (rows, length), boolean: what is no target where others are.
        original: (rows, length), ids before something was hidden: where they differ, they are what is predicted.
        name: of the text.
        read_only: whether nothing is predicted here.
    """
    special = torch.isin(ids, torch.tensor(getattr(tokenizer, "all_special_ids", []), dtype=ids.dtype))
    codes = special.long()  # places of ROLES; what comes later wins
    if ignored is not None:
        codes[ignored & ~special] = 2
    if learned is not None:
        codes[learned] = 3
    changed = torch.zeros_like(real) if original is None else real & (ids != original)
    codes[changed] = 5
    codes[changed & (ids == getattr(tokenizer, "mask_token_id", None))] = 4
    codes[~real] = 6
    was = ids if original is None else original
    return [
        ShownText(
            row,
            [ROLES[code] for code in of_row],
            name,
            {place: [before[place]] for place, different in enumerate(flags) if different},
            read_only=read_only,
        )
        for row, of_row, before, flags in zip(
            ids.where(ids >= 0, 0).tolist(), codes.tolist(), was.tolist(), changed.tolist(), strict=True
        )
    ]


def shown_rows(texts: Iterable[ShownText], batch: Mapping[str, Any]) -> list[ShownRow]:
    """Return rows of one text each; those of a packed batch say which document they are.

    Args:
        texts: one for each row, or document.
        batch: that they were made of.
    """
    if "cu_seq_lens" not in batch:
        return [ShownRow([text]) for text in texts]
    rows = [ShownRow([_without_padding(text)]) for text in texts]
    return [with_facts(row, pack_place(number, len(rows))) for number, row in enumerate(rows)]


def _without_padding(text: ShownText) -> ShownText:
    """Return a document as it lies in its pack."""
    length = sum(role != "padding" for role in text.roles)
    return replace(text, ids=text.ids[:length], roles=text.roles[:length])


def with_facts(row: ShownRow, facts: Mapping[str, str]) -> ShownRow:
    """Return a row of which more is known."""
    return replace(row, facts={**row.facts, **facts})
