"""Data that a module meets after its network was built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..contracts import data_facts
from ..errors import InputError

if TYPE_CHECKING:
    from .network import NetworkModule


def agree_with_data(module: NetworkModule, data: Any) -> None:
    """Take the tokenizer of data that were not known when a network was built, if it will do.

    Args:
        module: a built one.
        data: the datamodule of its trainer, or None.

    Raises:
        InputError: if their tokens mean something else.
    """
    tokenizer = data_facts(data).tokenizer
    if tokenizer is None:
        return
    if module.tokenizer is None and len(tokenizer) <= module.model.config.vocab_size:
        module.tokenizer = tokenizer
    elif module.tokenizer is None or not tokenizer.get_vocab().items() <= module.tokenizer.get_vocab().items():
        raise InputError(
            f"The network was built before the data were known, and their tokenizer ({len(tokenizer):,} entries) is "
            "not its own: give the datamodule the tokenizer of the module (data.use_tokenizer(module.tokenizer)), "
            "or leave building to the trainer."
        )
