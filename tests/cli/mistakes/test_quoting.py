"""A text with a colon is a mapping for YAML: the message says which quotes make it a text, and they do."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from pretune.cli.mistakes.quoting import quotes_for

BEGINNING = (
    "predict", "--model=TextClassification", "--model.backbone=a", "--data=TextClassificationDataModule",
)  # fmt: skip
CURE = "quotes of its own make it a text: "


@pytest.mark.parametrize(
    ("option", "cure"),
    [
        ("--data.predict_texts=Verdict: stocks fell", "'Verdict: stocks fell' is read as a mapping, .* '\"Verdict: "),
        ("--data.predict_texts=[Dull., Verdict: it fell]", '"Verdict: it fell", on the command line'),
        ("--data.text_column=a: b", 'data.text_column: .*"a: b"'),
    ],
)
def test_the_quotes_are_said(fails: Callable[..., str], option: str, cure: str) -> None:
    message = fails(*BEGINNING, option)
    assert CURE in message
    assert re.search(cure, message)


@pytest.mark.parametrize(
    ("value", "said"), [("[yes, no]", "yes, on or true without"), ("[null]", "null or ~ without"), ("[1, 2]", "1 is a")]
)
def test_words_that_are_no_texts(fails: Callable[..., str], value: str, said: str) -> None:
    message = fails(*BEGINNING, f"--data.label_names={value}")
    assert message.startswith(f"error: data.label_names: {said}")
    quoted = [f'"{word}"' for word in value.strip("[]").split(", ")]
    assert "label_names" not in fails(*BEGINNING, f"--data.label_names=[{', '.join(quoted)}]")


def test_with_the_quotes_it_is_a_text(fails: Callable[..., str]) -> None:
    message = fails(*BEGINNING, "--data.predict_texts='Verdict: stocks fell'", '--data.text_column="a: b"')
    assert "mapping" not in message  # but that there is no such backbone
    assert "backbone" in message


def test_other_mappings_are_no_texts() -> None:
    assert quotes_for("x", "{'summarize': None}") is not None
    for value in ("{'a': 1, 'b': 2}", "{'a': {'b': 1}}", "3.5", "{", "text"):
        assert quotes_for("x", value) is None
