"""Weights know the words of the tokenizer that they were trained with, and of no other."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from pretune.errors import InputError
from pretune.modules import Backbone, TextClassification
from pretune.modules.backbone.known_words import check_words
from pretune.text.tokenizer import load_tokenizer
from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer


@pytest.fixture
def weights(encoder: Path, tokenizer: Any) -> str:
    tokenizer.save_pretrained(encoder)
    return str(encoder)


@pytest.fixture
def other(tmp_path: Path) -> Any:
    texts = [f"quite other words{i} stand there, and letters {chr(97 + i % 26)}" for i in range(300)]
    train_tokenizer(TrainTokenizer(train="wordpiece", vocab_size=90), texts, tmp_path / "other")
    return load_tokenizer(str(tmp_path / "other"))


def test_another_tokenizer_is_refused(weights: str, other: Any) -> None:
    with pytest.raises(InputError, match=r"data\.tokenizer is another one than .*Leave data\.tokenizer out"):
        check_words(Backbone(weights), other)


def test_it_is_refused_before_texts_are_tokenized(weights: str, other: Any) -> None:
    data = type("Data", (), {"tokenizer": other, "longest": None})()
    with pytest.raises(InputError, match="is another one than"):
        TextClassification(weights, labels=["a", "b"]).check_data(data)


def test_its_own_and_an_extended_one_pass(weights: str, recwarn: pytest.WarningsRecorder) -> None:
    own = load_tokenizer(weights)
    check_words(Backbone(weights), own)
    own.add_tokens(["newword", "another"])
    check_words(Backbone(weights), own)
    assert not recwarn.list


def test_a_renamed_entry_is_told(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own = load_tokenizer(weights)
    vocabulary = copy.copy(own.get_vocab())
    word = next(word for word in vocabulary if word.isalpha())
    vocabulary["renamed"] = vocabulary.pop(word)
    monkeypatch.setattr(type(own), "get_vocab", lambda self: vocabulary if self is own else own_vocabulary)
    own_vocabulary = {word if name == "renamed" else name: number for name, number in vocabulary.items()}
    with pytest.warns(UserWarning, match=rf"'renamed' stands where its weights know '{word}'"):
        check_words(Backbone(weights), own)


def test_weights_without_a_tokenizer_and_from_scratch_know_no_words(encoder: Path, other: Any) -> None:
    for file in encoder.glob("tokenizer*"):
        file.unlink()
    check_words(Backbone(str(encoder)), other)
    check_words(Backbone(config={"model_type": "bert"}), other)
