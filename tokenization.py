"""Tokenizers: loading one from wherever it lies, and carrying one inside a checkpoint."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lightning.pytorch.utilities.rank_zero import rank_zero_info

from .errors import InputError, first_line
from .runs import locate, stored

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def pack_tokenizer(tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
    """A tokenizer's files as plain strings, so that a checkpoint needs nothing beside it."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        # Latin-1 carries any byte, also those of a binary SentencePiece model.
        return {p.name: p.read_bytes().decode("latin-1") for p in sorted(Path(folder).iterdir()) if p.is_file()}


def unpack_tokenizer(files: dict[str, str]) -> PreTrainedTokenizerBase:
    """The tokenizer that `pack_tokenizer` packed."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            Path(folder, os.path.basename(name)).write_bytes(text.encode("latin-1"))
        return load_tokenizer(folder)


def load_tokenizer(name: str, revision: str | None = None, trust_remote_code: bool = False) -> PreTrainedTokenizerBase:
    """Loads a tokenizer from whatever `locate` understands, with padding and truncation left to the caller."""
    from transformers import AutoTokenizer

    place = locate(name)
    if isinstance(place, Path) and place.suffix == ".ckpt":
        files = stored(place).get("tokenizer")
        if not files:
            raise InputError(f"The checkpoint {place} carries no tokenizer; name one.")
        return unpack_tokenizer(files)
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(place), revision=revision, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, KeyError, json.JSONDecodeError) as error:
        raise InputError(f"No tokenizer can be loaded from {name!r}: {first_line(error)}") from error
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        # Some published tokenizer.json files (all-MiniLM-L6-v2) switch fixed padding and truncation on.
        backend.no_padding()
        backend.no_truncation()
    if tokenizer.pad_token is None and tokenizer.eos_token is not None:
        tokenizer.pad_token = tokenizer.eos_token
        rank_zero_info(f"The tokenizer of {name} has no padding token; {tokenizer.eos_token!r} is used.")
    return tokenizer
