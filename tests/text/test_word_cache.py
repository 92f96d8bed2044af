"""Words that were met before give the tokens that the tokenizer gives, whatever stands around them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests_support import sentence  # type: ignore[import-not-found]
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

from pretune.text import word_cache
from pretune.text.encoding import encode, encode_words
from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer
from pretune.text.word_cache import WordCache, division

SPACES = [
    " ",
    "  ",
    "   ",
    "\n",
    "\n\n",
    "\t",
    " \n",
    "\n ",
    "\r\n",
    "\x0b",
    "\x1c",
    "\x85",
    "\xa0",
    "\u2003",
    "\u3000",
]
PIECES = ["film", "Film.", "don't", "'s", "naïve", "e\u0301", "\u0301", "東京", "３", "12", "...", "x" * 130, "[MASK]"]
PIECES += ["a[SEP]b", "[UNK]", "\u200b", "\ufffd", "\x00", "🙂", "▁", "ſ", "İ", "\u0600", "ΑΣ", "[SEP]", "Ġ", "_"]


def trained(kind: Any, folder: Path, lowercase: bool = False) -> Any:
    texts = [sentence(i, 12) for i in range(99)] + ["naïve café 東京 film don't ... 12", "x e\u0301 \n\n  ."]
    train_tokenizer(TrainTokenizer(kind, 330, lowercase, min_frequency=1), iter(texts), folder)
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def nasty_texts(count: int) -> list[str]:
    """Everything next to everything."""
    rng = random.Random(0)
    texts = ["", " ", "film", " film", "film ", "a film", "film\nfilm", "film  film"]
    for _ in range(count):
        drawn = [rng.choice(SPACES if rng.random() < 0.5 else PIECES) for _ in range(rng.randint(1, 9))]
        texts.append((" " if rng.random() < 0.3 else "").join(drawn))
    return texts


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("kind", ["wordpiece", "bytelevel", "bpe", "unigram"])
def test_tokens_are_the_tokenizers_own(kind: str, lowercase: bool, tmp_path: Path) -> None:
    backend = trained(kind, tmp_path, lowercase)
    cut = division(backend)
    assert cut is not None
    for starts in (False, True):
        cache = WordCache(backend, cut, [3], starts)
        for some in np.array_split(nasty_texts(3000), 5):
            texts = list(map(str, some))
            ids, lengths, flags, words = cache.encode(texts)
            expected, expected_flags = encode_words(backend, texts)
            assert encode(backend, texts) == expected
            for row, end in enumerate(np.cumsum(lengths)):
                assert ids[end - lengths[row] : end].tolist() == [*expected[row], 3], repr(texts[row])
                if flags is not None:
                    found = flags[end - lengths[row] : end].tolist()
                    assert found == [*expected_flags[row], True], repr(texts[row])
            assert len(ids) == lengths.sum()
            assert [
                count for text, count in zip(texts, words, strict=True) if count not in (None, len(text.split()))
            ] == []


def test_white_space_that_meets_where_a_word_is_stripped() -> None:
    backend = Tokenizer(models.BPE({"a": 0, "Ġ": 1, "ĠĠ": 2, "ĠĠĠ": 3}, [("Ġ", "Ġ"), ("ĠĠ", "Ġ")]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents()])
    cut = division(backend)
    assert cut is not None
    texts = ["a \u0301  ", "\u0301  a", "\u0301\u0302", " \u0301 ", "a\u0301 á", "a  \u0301\u0302  a"]
    expected = [[0, 3], [1, 1, 0], [], [2], [0, 1, 0], [0, 3, 1, 0]]
    ids, lengths, _, _ = WordCache(backend, cut, []).encode(texts)
    parts = np.split(ids, np.cumsum(lengths)[:-1])
    assert [part.tolist() for part in parts] == encode(backend, texts) == expected


def test_the_cache_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = trained("wordpiece", tmp_path)
    cut = division(backend)
    assert cut is not None
    monkeypatch.setattr(word_cache, "MOST_WORDS", 20)
    cache = WordCache(backend, cut, [])
    sizes = []
    for text in [sentence(i, 12) for i in range(40)]:
        ids, *_ = cache.encode([text])
        assert ids.tolist() == encode(backend, [text])[0]
        sizes.append(len(cache.numbers))
    assert max(sizes) <= 20 + 12
    assert sizes != sorted(sizes)


def test_words_are_tokenized_once(tmp_path: Path) -> None:
    backend = trained("wordpiece", tmp_path)
    asked: list[str] = []

    class Spy:
        def __getattr__(self, name: str) -> Any:
            return getattr(backend, name)

        def encode_batch_fast(self, texts: list[str], **options: Any) -> Any:
            asked.extend(texts)
            return backend.encode_batch_fast(texts, **options)

    cut = division(backend)
    assert cut is not None
    cache = WordCache(Spy(), cut, [])
    cache.encode(["one film one", "film"])
    cache.encode(["one two"])
    assert asked == ["one", "film", "two"]


def _bytes() -> Tokenizer:
    backend = Tokenizer(models.BPE({"a": 0, "Ġ": 1}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return backend


def test_what_may_look_across_words_is_left_to_the_tokenizer() -> None:
    assert division(_bytes()) is not None
    backend = _bytes()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)  # in front of a line as well
    assert division(backend) is None
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    assert division(backend) is None
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel()])
    assert division(backend) is None
    backend.pre_tokenizer = None  # as Llama's: the whole text is one word
    assert division(backend) is None
    for normalizer in (normalizers.Replace("a b", "c"), normalizers.Sequence([normalizers.NFKC()])):
        backend = _bytes()
        backend.normalizer = normalizer
        assert division(backend) is None
    backend = _bytes()
    backend.model = models.BPE({"a": 0, "Ġ": 1}, [], dropout=0.1)  # random
    assert division(backend) is None


@pytest.mark.parametrize(
    ("token", "fits"),
    [
        (AddedToken("<m>", lstrip=True), True),
        (AddedToken("<m>", rstrip=True), False),
        (AddedToken("<a b>"), False),
        (AddedToken("  ", normalized=False), False),
    ],
)
def test_added_tokens(token: AddedToken, fits: bool) -> None:
    backend = _bytes()
    backend.add_tokens([token])
    cut = division(backend)
    assert (cut is not None) == fits
    if cut is not None:
        texts = ["a <m>", "a<m>a", "<m> a", "a  \n<m>", "<m>\na", "<m>"]
        ids, lengths, _, _ = WordCache(backend, cut, []).encode(texts)
        parts = np.split(ids, np.cumsum(lengths)[:-1])
        assert [part.tolist() for part in parts] == encode(backend, texts)
