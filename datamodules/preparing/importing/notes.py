"""What is said of an import: what was left over in the files, and what was added."""

from __future__ import annotations

from typing import Any

from .pieces import Piece
from .token_file import TokenFile

LISTED = 10
"""Files that are listed one by one."""


def notes_of(files: list[TokenFile], pieces: list[Piece], facts: list[dict[str, Any]], has_mark: bool) -> list[str]:
    """Return sentences.

    Args:
        files: that were read.
        pieces: that they were divided into.
        facts: what came of each piece.
        has_mark: whether the tokenizer has a token that ends a text.
    """
    notes = []
    tails = [file for file in files if file.left_over]
    for file in tails[:LISTED]:
        notes.append(f"{file.path}: {file.left_over:,} bytes at the end, which {file.tail}, were not read.")
    if more := tails[LISTED:]:
        size = sum(file.left_over for file in more)
        notes.append(f"{len(more):,} more files have {size:,} bytes at their ends that were not read.")
    whole = {piece.file.path: piece.file for piece in pieces if not piece.is_divided}
    if whole:
        first = next(iter(whole))
        others = f" and {len(whole) - 1:,} more files" if len(whole) > 1 else ""
        why = "no end-of-text token is in them" if has_mark else "the tokenizer has no end-of-text token"
        notes.append(f"{first}{others}: nothing tells where documents end ({why}): each shard of them is one document.")
    if added := sum(made["added"] for made in facts):
        notes.append(f"{added:,} documents did not end with the separator: it was added to them.")
    return notes
