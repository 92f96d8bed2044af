"""The tokenizer of a datamodule: the module's own, or one that is made of the training texts, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ..contracts import ModuleFacts
from ..errors import InputError
from ..storage.cache import cached
from ..text.extend_tokenizer import ExtendTokenizer
from ..text.tokenizer import load_tokenizer, unpack_tokenizer
from ..text.train_tokenizer import TrainTokenizer
from .sources import Source


def has_own_tokenizer(module: ModuleFacts) -> bool:
    """Return whether a module comes from a checkpoint with its tokenizer."""
    return bool(module.stored is not None and module.stored.tokenizer)


def own_tokenizer(module: ModuleFacts, asker: str) -> Any:
    """Return the tokenizer of a module's checkpoint, else that of its backbone.

    Args:
        module: in training.
        asker: the name of the datamodule, for the message.

    Raises:
        InputError: if there is no backbone.
    """
    if module.stored and has_own_tokenizer(module):
        return unpack_tokenizer(module.stored.tokenizer)
    if module.backbone is None:
        raise InputError(
            f"{asker} needs a tokenizer: name one (tokenizer='bert-base-uncased'), or use it with a module whose "
            "backbone has one."
        )
    return module.backbone.load_tokenizer()


def make_tokenizer(
    spec: TrainTokenizer | ExtendTokenizer,
    source: Source,
    training_key: Callable[[], Any],
    training_texts: Callable[[], Iterator[str]],
    cache_dir: str,
) -> Any:
    """Return a tokenizer trained, or extended, on the training texts; made once and kept in the cache.

    Args:
        spec: how.
        source: of the texts.
        training_key: gives what a cache key must hold of them.
        training_texts: gives them.
        cache_dir: of the cache.

    Raises:
        InputError: if there are no training texts.
    """
    if not source.has("train"):
        raise InputError("data.tokenizer asks for training a tokenizer, but there are no data.train_files.")

    def make(folder: Path) -> None:
        rank_zero_info(f"{spec.doing} on {source.name('train')} ...")
        spec.make(training_texts(), folder)

    folder = cached(cache_dir, "tokenizers", [training_key(), spec.key()], make)
    tokenizer = load_tokenizer(str(folder))
    rank_zero_info(f"Tokenizer: {len(tokenizer):,} entries.")
    return tokenizer


def tokenizer_content(tokenizer: Any) -> Any:
    """Return all that tells a tokenizer from another, as plain data."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return backend.to_str() if backend is not None else sorted(tokenizer.get_vocab().items())
