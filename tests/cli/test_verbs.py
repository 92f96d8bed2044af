"""The first word of a command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pretune.cli.verbs import VERBS, Verb, with_known_verb
from pretune.errors import InputError


def said(*given: str) -> str:
    with pytest.raises(InputError) as caught:
        with_known_verb(given)
    return str(caught.value)


def test_words_for_commands() -> None:
    for word, verb in (
        ("train", "fit"),
        ("finetune", "fit"),
        ("Fit", "fit"),
        ("fti", "fit"),
        ("eval", "test"),
        ("evalute", "test"),
        ("infer", "predict"),
        ("tets", "test"),
        ("sweep", "tune"),
        ("bench", "benchmark"),
    ):
        assert f"there is no command {word!r} (did you mean {verb}?). There are: fit, validate" in said(word)
    words = [word for verb in VERBS.values() for word in verb.meant]
    assert len({*words, *VERBS}) == len(words) + len(VERBS)


def test_the_command_comes_first() -> None:
    assert "the command comes first: fit --config mine.yaml." in said("--config", "mine.yaml", "fit")
    assert "the command comes first: fit --config=mine.yaml." in said("--config=mine.yaml")
    assert "the command comes first: fit --config mine.yaml." in said("mine.yaml")
    assert "There are: fit, validate" in said("nonsense")


def test_the_short_option_is_written_out() -> None:
    """The recipe and the name of a run are looked for behind the long one."""
    assert with_known_verb(["fit", "-c", "a.yaml", "-cb.yaml"]) == ["fit", "--config", "a.yaml", "--config", "b.yaml"]
    assert with_known_verb(["predict", "--data.predict_texts", "-charm"])[2] == "-charm"


def test_a_recipe_behind_the_short_option(fails: Callable[..., str]) -> None:
    Path("mine.yaml").write_text("recipe: nothing\n")
    assert "There is no recipe 'nothing'" in fails("fit", "-c", "mine.yaml")


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_each_has_a_function_and_a_line(verb: Verb) -> None:
    assert callable(verb.load())
    assert verb.says
