from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pretune.text.pieces import Pieces, readable
from pretune.text.tokenizer import load_tokenizer
from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer

TEXTS = ["unbelievable stories begin", "你好世界", "a café, 12 km"]


def trained(kind: str, folder: Path) -> Any:
    options: dict[str, Any] = {} if kind == "character" else {"vocab_size": 300}
    train_tokenizer(TrainTokenizer(kind, **options), iter(TEXTS * 3), folder)  # type: ignore[arg-type]
    return load_tokenizer(str(folder))


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "bytelevel", "unigram", "character"])
@pytest.mark.parametrize("text", TEXTS)
def test_pieces_together_are_the_text(kind: str, text: str, tmp_path: Path) -> None:
    tokenizer = trained(kind, tmp_path / "tokenizer")
    pieces = Pieces(tokenizer)(tokenizer(text, add_special_tokens=False)["input_ids"])
    assert "##" not in "".join(pieces)
    whole = re.sub(r"⟨[^=⟩]*(?:=(.))?⟩", r"\1", "".join(pieces))
    assert "".join(whole.split()) == "".join(text.split())


def test_special_tokens_stay(tmp_path: Path) -> None:
    tokenizer = trained("wordpiece", tmp_path / "tokenizer")
    assert Pieces(tokenizer)(tokenizer("stories")["input_ids"]) == ["[CLS]", " stories", "[SEP]"]


def test_parts_of_characters_are_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "tokenizer"
    train_tokenizer(TrainTokenizer("bytelevel", 263), iter(["aaaa"]), folder)
    tokenizer = load_tokenizer(str(folder))
    assert Pieces(tokenizer)(tokenizer("好é a", add_special_tokens=False)["input_ids"]) == [
        "⟨E5⟩", "⟨A5⟩", "⟨BD=好⟩", "⟨C3⟩", "⟨A9=é⟩", " ", "a",
    ]  # fmt: skip


def test_control_characters_and_unknown_ids(tmp_path: Path) -> None:
    tokenizer = trained("bytelevel", tmp_path / "tokenizer")
    pieces = Pieces(tokenizer)([*tokenizer("\x1b[31m", add_special_tokens=False)["input_ids"], 10**6])
    assert "".join(pieces[:-1]) == "\\x1b[31m"
    assert pieces[-1] == "⟨id 1000000⟩"


def test_without_a_tokenizer_ids_are_shown() -> None:
    assert Pieces(None)([7, 12]) == [" 7", " 12"]


def test_bytes_by_hand() -> None:
    whole = "你a".encode()
    assert readable([whole[:2], whole[2:], None, b"\xff\xfeb"]) == ["⟨E4 BD⟩", "⟨A0=你⟩a", "", "⟨FF⟩⟨FE⟩b"]
