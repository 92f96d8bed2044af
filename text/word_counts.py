"""Training WordPiece on counted words, so that the same text always gives the same entries with the same ids.

The trainer of `tokenizers` numbers the letters within words (`##a`) in the order of a hash table, which differs from
process to process, and settles equal counts by these numbers. Here the words are counted first; then the letters are
known, and are numbered in the order of their code points.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

CHARACTERS_AT_ONCE = 1_000_000


def count_words(tokenizer: Any, documents: Iterator[str]) -> dict[str, int]:
    """Return how often each word occurs, as a tokenizer cuts texts into words.

    Args:
        tokenizer: with a normalizer and a pre-tokenizer; the model is not used.
        documents: texts.
    """
    from tokenizers import Tokenizer, models, trainers

    counting = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    counting.normalizer, counting.pre_tokenizer = tokenizer.normalizer, tokenizer.pre_tokenizer
    trainer = trainers.WordLevelTrainer(vocab_size=1, show_progress=False)
    counting.train_from_iterator(documents, trainer)
    # It tells nobody what it counted, but where it is pickled.
    words: dict[str, int] = json.loads(trainer.__getstate__())["WordLevelTrainer"]["words"]
    return words


def train_wordpiece(words: dict[str, int], vocab_size: int, min_frequency: int, special: list[str]) -> dict[str, int]:
    """Return the vocabulary that WordPiece's training finds: ids by entry.

    Args:
        words: how often each occurs; without white space.
        vocab_size: entries at most, if the letters leave room.
        min_frequency: pairs that are seen less often are not joined.
        special: entries that come first.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    letters = sorted({letter for word in words for letter in word})
    inner = sorted({letter for word in words for letter in word[1:]})
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=[*special, *letters, *(f"##{letter}" for letter in inner)],  # what has a number keeps it
        show_progress=False,
    )
    tokenizer = Tokenizer(models.WordPiece(unk_token=special[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.train_from_iterator(_texts(words), trainer)
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    return dict(sorted(vocabulary.items(), key=lambda entry: entry[1]))


def _texts(words: dict[str, int]) -> Iterator[str]:
    """Yield texts in which each word occurs as often as it was counted: the trainer takes nothing else."""
    held: list[str] = []
    size = 0
    for word, count in words.items():
        while count:
            times = min(count, max(1, (CHARACTERS_AT_ONCE - size) // (len(word) + 1)))
            held.append(f"{word} " * times)
            size += times * (len(word) + 1)
            count -= times
            if size >= CHARACTERS_AT_ONCE - 100:
                yield "".join(held)
                held, size = [], 0
    yield "".join(held)
