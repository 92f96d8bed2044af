"""A tokenizer trained on a corpus: what cannot be learned is told."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pretune.errors import InputError
from pretune.text import word_counts
from pretune.text.train_tokenizer import SPECIAL, TrainTokenizer, train_tokenizer
from pretune.text.unigram_scores import settled


@pytest.mark.parametrize(
    ("spec", "texts", "told"),
    [
        (TrainTokenizer("wordpiece", 20), ["a film"], "vocab_size is 20; special tokens and letters need more"),
        (TrainTokenizer("wordpiece", 99), ["", " "], "found no text"),
        (
            TrainTokenizer("unigram", 99),
            [chr(0x4E00 + i) for i in range(200)],
            "vocab_size is 99, but the text has more characters",
        ),
    ],
)
def test_what_cannot_be_learned(spec: TrainTokenizer, texts: list[str], told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        train_tokenizer(spec, iter(texts), tmp_path)


def words(count: int) -> list[str]:
    """Texts of many words that are equally frequent: what is equal is what could come in any order."""
    rng = np.random.default_rng(0)
    letters = list("abcdefghijklmnopqrstuvwxyzäöü中文字語")
    made = ["".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(count)]
    return [" ".join(made[first : first + 5]) for first in range(0, count, 5)] * 3


@pytest.mark.parametrize("kind", ["wordpiece", "unigram", "bpe", "bytelevel", "character"])
def test_the_same_text_gives_the_same_tokenizer(kind: Any, tmp_path: Path) -> None:
    found = set()
    for turn in range(4):  # each hash table has an order of its own, in one process too
        (tmp_path / str(turn)).mkdir()
        train_tokenizer(TrainTokenizer(kind, 600), iter(words(300)), tmp_path / str(turn))
        found.add((tmp_path / str(turn) / "tokenizer.json").read_text(encoding="utf-8"))
    assert len(found) == 1


def test_wordpiece_is_trained_as_the_library_trains_it(tmp_path: Path) -> None:
    """Where no two counts are equal, its order has nothing to say."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    counts = {"low": 50, "lower": 23, "newest": 61, "widest": 37, "(a)": 11, "low-er": 5}
    text = " ".join(" ".join([word] * times) for word, times in counts.items())
    train_tokenizer(TrainTokenizer("wordpiece", 60), iter([text]), tmp_path)
    expected = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    expected.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=60, min_frequency=2, special_tokens=SPECIAL, show_progress=False)
    expected.train_from_iterator([text], trainer)
    made = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert made.get_vocab().keys() == expected.get_vocab().keys()
    assert made.encode("lowest (newer)").tokens[1:-1] == expected.encode("lowest (newer)").tokens
    assert {made.token_to_id(token) for token in SPECIAL} == set(range(5))
    assert [token.content for token in made.get_added_tokens_decoder().values()] == SPECIAL


def test_words_are_fed_as_often_as_they_were_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"a": 7, "longer": 250, "the": 1000, "x" * 300: 3}
    monkeypatch.setattr(word_counts, "CHARACTERS_AT_ONCE", 500)
    found = Counter(word for text in word_counts._texts(counts) for word in text.split())
    assert found == counts


def test_scores_that_depend_on_an_order_are_settled() -> None:
    special = [("[UNK]", 0.0)]
    one = [*special, ("ab", -2.00000000001), ("b", -7.0), ("a", -6.9999), ("c", -6.9998), ("d", -5.0), ("aa", -2.0)]
    two = [*special, ("aa", -2.00000000002), ("ab", -2.0), ("d", -5.0), ("b", -6.9999), ("c", -7.0), ("a", -6.9998)]
    assert settled(one, 1) == settled(two, 1)
    assert [piece for piece, _ in settled(one, 1)] == ["[UNK]", "aa", "ab", "d", "c", "b", "a"]
    assert settled(special, 1) == special
