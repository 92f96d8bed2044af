from __future__ import annotations

import json
import pickle
import random
from pathlib import Path

import numpy as np
import pytest

from pretune.errors import InputError
from pretune.text.words import WordList, boundaries, key, make_segmenter


@pytest.fixture
def words(tmp_path: Path) -> str:
    path = tmp_path / "words.txt"
    path.write_text("研究\n研究生 100 n\n\n生命\n  起源  \n中华人民共和国\n東京\nword\n", encoding="utf-8")
    return str(path)


def test_the_longest_word_wins(words: str) -> None:
    divide = WordList(words)
    assert divide("研究生命起源") == ["研究生", "命", "起源"]
    assert divide("研究，生命 of 東京word 2.0") == ["研究", "，", "生命", " of ", "東京", "word 2.0"]
    assert divide("中华人民") == ["中", "华", "人", "民"]  # the beginning of a word is not a word
    assert divide("") == []
    assert divide("no such characters.") == ["no such characters."]


def test_nothing_is_lost(words: str) -> None:
    divide = WordList(words)
    rng = random.Random(0)
    for _ in range(500):
        text = "".join(rng.choices("研究生命起源中华人民共和国東京 a.，\n🙂", k=rng.randrange(40)))
        assert "".join(divide(text)) == text


def test_it_travels_to_other_processes(words: str) -> None:
    assert pickle.loads(pickle.dumps(WordList(words)))("研究生命") == ["研究生", "命"]


def test_make_segmenter(words: str) -> None:
    made = make_segmenter(words)
    assert isinstance(made, WordList)
    assert make_segmenter(str.split) is str.split
    assert make_segmenter(None) is None


def test_bad_word_lists(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.txt cannot be opened"):
        WordList("nowhere.txt")
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(InputError, match=r"empty\.txt is empty"):
        WordList("empty.txt")
    (tmp_path / "blank.txt").write_text("\n \n")
    with pytest.raises(InputError, match=r"blank\.txt holds no .* word"):
        WordList("blank.txt")
    (tmp_path / "latin.txt").write_bytes("研究\n".encode("gb18030"))
    with pytest.raises(InputError, match=r"latin\.txt:1: .* is not utf-8"):
        WordList("latin.txt")


def begins(segmenter: object, text: str) -> list[int]:
    found = boundaries(segmenter, text)  # type: ignore[arg-type]
    assert found.dtype == bool
    assert found.shape == (len(text) + 1,)
    return [int(i) for i in np.flatnonzero(found)]


def test_boundaries(words: str) -> None:
    assert begins(WordList(words), "研究生命起源") == [0, 3, 4]
    assert begins(WordList(words), " 研究 生命") == [1, 4]
    assert begins(str.split, "  one two\n three ") == [2, 6, 11]
    assert begins(lambda text: ["one", " ", "two"], "one two") == [0, 4]  # white space is no word
    assert begins(lambda text: ["one", " "], "one ") == [0]
    assert begins(lambda text: (piece for piece in ["on", "e "]), "one ") == [0, 2]
    assert begins(str.split, "") == []
    assert begins(list, "a🙂b") == [0, 1, 2]


@pytest.mark.parametrize("pieces", [["研究"], ["研究", "生命", "x"], ["研究", "声", "命"], []])
def test_pieces_of_another_text(pieces: list[str]) -> None:
    def broken(text: str) -> list[str]:
        return pieces

    with pytest.raises(InputError, match=r"test_words\.\S*broken divides .* do not give the text back"):
        boundaries(broken, "研究生命")
    with pytest.raises(InputError, match="where it has '命', they have ''"):
        boundaries(lambda text: ["研究", "生"], "研究生命")


def test_key_changes_with_the_words(words: str) -> None:
    first = key(words)
    assert first == key(words) == json.loads(json.dumps(first))
    Path(words).write_text("研究\n")
    assert key(words) != first
    assert key(None) is None
    assert key(str.split) != key(list)
    assert key(make_segmenter(words)) == key(WordList(words))
    with pytest.raises(InputError, match=r"gone\.txt cannot be read"):
        key("gone.txt")
