"""What checkpoints say about themselves, in this version's words and in others'."""

import pytest

from pretune.contracts import Stored


def test_what_a_module_describes_comes_back() -> None:
    entry = {"class": "TextClassification", "config": "{}", "tokenizer": {}, "seed": 3, "lora": True, "labels": ["a"]}
    stored = Stored.of(entry)
    assert (stored.class_name, stored.config, stored.seed, stored.lora, stored.labels) == (
        "TextClassification", "{}", 3, True, ["a"],
    )  # fmt: skip
    assert stored.new_words is None
    assert stored.problem is None
    assert stored.own == {}


def test_what_another_module_adds_is_kept() -> None:
    assert Stored.of({"class": "Own", "margin": 0.5}).own == {"margin": 0.5}


def test_it_is_read_as_the_dictionary_that_it_was() -> None:
    stored = Stored.of({"class": "Own", "labels": ["a"], "margin": 0.5})
    assert (stored["class"], stored["labels"], stored["margin"]) == ("Own", ["a"], 0.5)
    assert (stored.get("nothing"), stored.get("problem", "single"), stored.get("margin")) == (None, "single", 0.5)
    with pytest.raises(KeyError):
        _ = stored["nothing"]


def test_a_stranger_is_of_no_class() -> None:
    assert Stored.of({}).class_name == "something else"


def test_it_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Stored().seed = 1  # type: ignore[misc]
