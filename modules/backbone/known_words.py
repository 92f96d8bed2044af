"""Whether a tokenizer numbers words as the weights know them: otherwise what was learned of one is read for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lightning.pytorch.utilities.rank_zero import rank_zero_warn

from ...errors import InputError
from ...text.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from .backbone import Backbone

MOST_RENAMED = 0.1
"""The share of entries that may mean something else: some are renamed on purpose, as new special tokens are."""


def check_words(backbone: Backbone, tokenizer: PreTrainedTokenizerBase | None) -> None:
    """Raise an `InputError` if a tokenizer's numbers mean other words than those that weights were trained with.

    A tokenizer may have more entries or fewer. Of weights without a tokenizer nobody knows.

    Args:
        backbone: the weights; those from scratch know no words.
        tokenizer: of the data.
    """
    if backbone.name is None or tokenizer is None:
        return
    try:
        known = load_tokenizer(backbone.name, backbone.revision, backbone.trust_remote_code).get_vocab()
    except InputError:
        return
    words = {number: word for word, number in tokenizer.get_vocab().items()}
    common = [(word, words[number]) for word, number in known.items() if number in words]
    renamed = [(old, new) for old, new in common if old != new and "unused" not in old]
    if not renamed:
        return
    old, new = renamed[0]
    says = (
        f"{len(renamed):,} of the tokenizer's {len(words):,} entries mean something else than in {backbone.label} "
        f"({new!r} stands where its weights know {old!r})"
    )
    if len(renamed) <= MOST_RENAMED * len(common):
        rank_zero_warn(f"{says}: their embeddings begin with what was learned of others.")
        return
    raise InputError(
        f"data.tokenizer is another one than {backbone.label} was trained with: {says}, so that what it learned would "
        "be lost. Leave data.tokenizer out (null), and that of the weights is used; data.tokenizer: {extend: ...} adds "
        "words to it; a network of that architecture from scratch takes any (backbone.config)."
    )
