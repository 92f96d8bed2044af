from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests_support import sentence  # type: ignore[import-not-found]
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from pretune.errors import InputError
from pretune.text.encoding import count_words, encode, encode_words
from pretune.text.tokenizer import load_tokenizer, pair_frame, special_frame
from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer

TEXTS = [sentence(i, 12) for i in range(99)] + ["naïve café — 東京 film", "don't stop, it's 3.14!"]


def trained(kind: Any, folder: Path, vocab_size: int = 330) -> Any:
    train_tokenizer(TrainTokenizer(kind, vocab_size, min_frequency=1), iter(TEXTS), folder)
    return load_tokenizer(str(folder))


def words_of(tokenizer: Any, text: str, **options: Any) -> list[str]:
    """The text of each word, from where tokens stand."""
    (ids,), (starts,) = encode_words(tokenizer, [text], **options)
    assert ids == encode(tokenizer, [text])[0]
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    words: list[list[int]] = []
    for (begin, end), new in zip(offsets, starts, strict=True):
        if new:
            words.append([begin, end])
        words[-1][1] = end
    return [text[begin:end].strip() for begin, end in words]


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "bytelevel", "unigram"])
def test_words_are_whole_for_every_kind_of_tokenizer(kind: str, tmp_path: Path) -> None:
    tokenizer = trained(kind, tmp_path)
    text = "the small filmography endlessly begins"
    assert words_of(tokenizer, text) == text.split()
    assert len(encode(tokenizer, [text])[0]) > len(text.split())  # in several pieces each
    split = words_of(tokenizer, "a film, one.")
    assert split == (["a", "film", ",", "one", "."] if kind in ("wordpiece", "bytelevel") else ["a", "film,", "one."])


def test_bytes_of_a_character_are_one_word(tmp_path: Path) -> None:
    tokenizer = trained("bytelevel", tmp_path, 270)
    (ids,), (starts,) = encode_words(tokenizer, ["é é"])
    assert len(ids) > 3
    assert sum(starts) == 2


def test_a_tokenizer_without_word_ids(tmp_path: Path) -> None:
    """As Llama's: spaces are replaced before anything is split, and the whole text is one word to it."""
    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Metaspace()
    backend.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    backend.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=120, special_tokens=["<unk>", "</s>"]))
    backend.pre_tokenizer = None
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", eos_token="</s>")
    assert words_of(tokenizer, "one old book ends") == ["one", "old", "book", "ends"]


def test_chinese_words_by_a_segmenter(tmp_path: Path) -> None:
    texts = ["我喜欢北京的电影", "film 北京 film"]
    train_tokenizer(TrainTokenizer("wordpiece", 100, min_frequency=1), iter(texts), tmp_path)
    tokenizer = load_tokenizer(str(tmp_path))
    assert words_of(tokenizer, "我喜欢北京的电影") == list("我喜欢北京的电影")

    def segmenter(text: str) -> list[str]:
        for word in ("喜欢", "北京", "电影"):
            text = text.replace(word, f"|{word}|")
        return [part for part in text.split("|") if part]

    assert words_of(tokenizer, "我喜欢北京的电影", segmenter=segmenter) == ["我", "喜欢", "北京", "的", "电影"]
    assert words_of(tokenizer, "a film 北京 film", segmenter=segmenter)[-3:] == ["film", "北京", "film"]


def test_word_counts() -> None:
    assert count_words(" one  two\nthree. ") == 3
    assert count_words("我喜欢 film 北京") == 6
    assert count_words("naïve café") == 2


def test_slow_tokenizers_have_no_words() -> None:
    class Slow:
        pass

    with pytest.raises(InputError, match="fast tokenizer"):
        encode_words(Slow(), ["x"])


def test_frames(tokenizer: Any) -> None:
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    assert special_frame(tokenizer) == ([cls], [sep])
    frame = pair_frame(tokenizer)
    assert (frame.before, frame.between, frame.after, frame.types) == ([cls], [sep], [sep], (0, 0, 0, 1, 1))
    assert len(frame) == 3
    ids = tokenizer("a film", "the book")
    a, b = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in ("a film", "the book"))
    assert ids["input_ids"] == [*frame.before, *a, *frame.between, *b, *frame.after]
