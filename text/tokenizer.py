"""Tokenizers: loading one from wherever it lies, and carrying one inside a checkpoint."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_utilities.core.rank_zero import rank_zero_info

from ..checkpoints import locate, stored
from ..errors import InputError, first_line
from .hub_access import explain, model_options

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


EXTENDS = "extends"
"""The entry of tokenizer_config.json that names the tokenizer which was extended."""


class MissingTokenizer(InputError):
    """There are weights, and no tokenizer beside them."""


def pack_tokenizer(tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
    """Return a tokenizer's files as plain strings, so that a checkpoint needs nothing beside it."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        # Latin-1 carries any byte, also those of a binary SentencePiece model.
        return {p.name: p.read_bytes().decode("latin-1") for p in sorted(Path(folder).iterdir()) if p.is_file()}


def unpack_tokenizer(files: dict[str, str]) -> PreTrainedTokenizerBase:
    """Return the tokenizer that `pack_tokenizer` packed."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            Path(folder, os.path.basename(name)).write_bytes(text.encode("latin-1"))
        return load_tokenizer(folder)


def load_tokenizer(name: str, revision: str | None = None, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """Load a tokenizer from whatever `locate` understands, with padding and truncation left to the caller."""
    from transformers import AutoTokenizer

    place = locate(name)
    if isinstance(place, Path) and place.suffix == ".ckpt":
        files = stored(place).tokenizer
        if not files:
            raise MissingTokenizer(f"The checkpoint {place} carries no tokenizer; name one.")
        return unpack_tokenizer(files)
    try:
        options = model_options(place, revision)
        tokenizer = AutoTokenizer.from_pretrained(str(place), trust_remote_code=trust_remote_code, **options)
        # Some damage shows only where the tokenizer is used, or saved.
        tokenizer("a b", "c")
        json.dumps(tokenizer.init_kwargs, ensure_ascii=False, default=str).encode()
    except BaseException as error:
        # What is wrong within its files comes as whatever it leads to; from Rust as a bare Exception, or as a panic.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        why = explain(error, name, revision) if isinstance(place, str) else None
        kind = MissingTokenizer if why is None else InputError
        raise kind(f"No tokenizer can be loaded from {name!r}: {why or first_line(error)}") from error
    if _made_up(tokenizer):
        raise MissingTokenizer(f"{name!r} holds no tokenizer: put its files beside the weights, or name another one.")
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        # Some published tokenizer.json files (all-MiniLM-L6-v2) switch fixed padding and truncation on.
        backend.no_padding()
        backend.no_truncation()
    if tokenizer.pad_token is None and tokenizer.eos_token is not None:
        tokenizer.pad_token = tokenizer.eos_token
        rank_zero_info(f"The tokenizer of {name} has no padding token; {tokenizer.eos_token!r} is used.")
    return tokenizer


def _made_up(tokenizer: Any) -> bool:
    """Return whether transformers made a tokenizer without a word up, as it does where there is none in the folder."""
    words = set(tokenizer.get_vocab()) - {str(token) for token in tokenizer.all_special_tokens}
    return len(words) <= 1  # T5's has the mark of a space


def separator_id(tokenizer: Any) -> int | None:
    """Return the token that divides documents: the separator, or the end of text; None where there is neither."""
    return next((i for i in (tokenizer.sep_token_id, tokenizer.eos_token_id) if i is not None), None)


def pad_id(tokenizer: Any) -> int:
    """Return the token that fills rows; 0 where the tokenizer names none, as masks hide it anyway."""
    return int(tokenizer.pad_token_id or 0)


def special_frame(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return the special tokens before and after a text: ([CLS], [SEP]) for BERT, nothing for GPT-2."""
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    framed = tokenizer("a")["input_ids"]
    start = _find(plain, framed)
    return ([], []) if start is None else (framed[:start], framed[start + len(plain) :])


def block_frame(tokenizer: Any, block_size: int, frame: bool) -> tuple[list[int], list[int], int]:
    """Return the special tokens around what fills a block, and how many tokens of text that is.

    Args:
        tokenizer: that makes them.
        block_size: tokens in a block, special tokens included.
        frame: whether there are any.

    Raises:
        InputError: if they leave no room.
    """
    before, after = special_frame(tokenizer) if frame else ([], [])
    content = block_size - len(before) - len(after)
    if content < 1:
        raise InputError(f"data.block_size is {block_size}, which the special tokens alone fill.")
    return before, after, content


@dataclass
class PairFrame:
    """The special tokens before, between and after two texts, and the token types of all parts.

    Args:
        before: `[CLS]` for BERT.
        between: `[SEP]` for BERT, `</s></s>` for RoBERTa.
        after: `[SEP]` for BERT.
        types: of what is before, the first text, what is between, the second text, and what is after.
    """

    before: list[int]
    between: list[int]
    after: list[int]
    types: tuple[int, int, int, int, int]

    def __len__(self) -> int:
        return len(self.before) + len(self.between) + len(self.after)


def pair_frame(tokenizer: Any) -> PairFrame:
    """Return how a tokenizer puts two texts together.

    Raises:
        InputError: if it puts nothing between them.
    """
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    pair = tokenizer("a", "a")
    ids, types = pair["input_ids"], pair.get("token_type_ids") or [0] * len(pair["input_ids"])
    first = _find(plain, ids)
    second = None if first is None else _find(plain, ids, first + len(plain))
    if first is None or second is None or second == first + len(plain):
        raise InputError(
            "The tokenizer puts no separator between two texts, which sentence pairs need; a tokenizer of the BERT or "
            "RoBERTa family would work, or one trained here: data.tokenizer: {train: wordpiece}."
        )
    end = second + len(plain)
    middle = first + len(plain)
    kinds = (types[0], types[first], types[middle], types[second], types[end] if end < len(ids) else types[second])
    return PairFrame(ids[:first], ids[middle:second], ids[end:], kinds)


def joins_bare(tokenizer: Any) -> bool:
    """Return whether a tokenizer puts nothing between two texts."""
    plain = tokenizer("a", add_special_tokens=False)["input_ids"]
    return _find([*plain, *plain], tokenizer("a", "a")["input_ids"]) is not None


def _find(part: list[int], whole: list[int], start: int = 0) -> int | None:
    ends = range(start, len(whole) - len(part) + 1)
    return next((i for i in ends if whole[i : i + len(part)] == part), None)
