from __future__ import annotations

from pathlib import Path

import pytest

from pretune.errors import InputError
from pretune.text.readers import read_rows


def test_sentences_with_their_places() -> None:
    Path("a.conll").write_text(
        "-DOCSTART- -X- O O\n\n# sentence 1\nU.N. NNP I-NP I-ORG\nofficial NN I-NP O\n"
        "\n\n# NN I-NP O\nEkeus NNP I-NP I-PER\r\n"
    )
    assert list(read_rows("a.conll")) == [
        ("a.conll:4", {"tokens": ["U.N.", "official"], "ner_tags": ["I-ORG", "O"]}),
        ("a.conll:8", {"tokens": ["#", "Ekeus"], "ner_tags": ["O", "I-PER"]}),
    ]


def test_tabs_divide_columns_where_there_are_any() -> None:
    Path("a.bio").write_text("New York\tB-LOC\nis\tO\n")
    assert list(read_rows("a.bio")) == [("a.bio:1", {"tokens": ["New York", "is"], "ner_tags": ["B-LOC", "O"]})]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a X O\nb O\n", "a.conll:2: 2 columns, but the lines before have 3"),
        ("alone\n", "a.conll:1: 1 column, but a word and its tag are two"),
        ("\n\n", "a.conll has no rows"),
    ],
)
def test_errors_name_the_line(text: str, message: str) -> None:
    Path("a.conll").write_text(text)
    with pytest.raises(InputError, match=message):
        list(read_rows("a.conll"))


def test_a_bad_sentence_can_be_passed_over() -> None:
    Path("a.conll").write_text("a O\nb O\n\nc O\nd\ne X O\n\nf O\n\ng\n")
    told: list[str] = []
    rows = list(read_rows("a.conll", bad=lambda error: told.append(str(error))))
    assert [row["tokens"] for _, row in rows] == [["a", "b"], ["f"]]
    assert told == [
        "a.conll:5: 1 column, but the lines before have 2.",
        "a.conll:10: 1 column, but the lines before have 2.",
    ]
