from __future__ import annotations

import random
import time

import pytest

from pretune.text.sentences import split_sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["He left.", "She stayed!", "Why?", "Nobody knows…", "The end"],
        ["He left...", "She stayed?!", "4 people came.", "(Not many.)", "[One more.]"],
        ['"Go!" he said.', '"Where to?"', "“Away.”", "‘Now.’", "He went."],
        ["Dr. Smith met Mrs. J. R. Ewing vs. Prof. Li in the U.S. Senate, e.g. Monday, i.e. Today, etc. Fine.", "Yes."],
        ["It costs 3.14 or 1,000.50 dollars.", "See No. 5 and Fig. 2 on p. 7.", "No.", "Really."],
        ["1. First entry.", "2. Second entry.", "In 1999.", "Then."],
        ["Visit example.com or a.b.C today.", "Version 2.0.1 is out."],
        ["Wait…what?no!yes.", "(He came, she came, etc.)", "Then."],
        ["It ends here. it goes on, as nothing says otherwise.", "Next."],
        ["Он ушёл.", "Она осталась.", "مرحبا.", "שלום."],
        ["The plan B was made by J. Doe.", "I know."],
    ],
)
def test_english(sentences: list[str]) -> None:
    assert split_sentences(" ".join(sentences)) == sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["他走了。", "她留下！", "为什么？", "没人知道；", "完"],
        ["他说：“走吧！”", "她说：「好。」", "（真的吗？！）", "嗯……", "是。。。", "好"],
        ["“好！”，他说。", "然后走了。"],
        [
            "你好!",
            "我来了?",
            "是…",
            "圆周率是3.14。",
            "用Python3.11写的。",
            "3.中国队。",
            "GPT-4.",
            "This is English.",
            "中文。",
        ],
    ],
)
def test_chinese_needs_no_space(sentences: list[str]) -> None:
    text = ""
    for one, following in zip(sentences, [*sentences[1:], "。"], strict=True):
        text += one + (" " if one.endswith(".") or following[0].isascii() else "")
    assert split_sentences(text) == sentences


def test_tokenized_text() -> None:
    text = (
        " = Valkyria Chronicles III = \n \n Senjō no Valkyria 3 , is a role @-@ playing game . It was sold for 3 @.@ 5 "
        "million yen . Mr. J. Doe liked it ! Did he ? \n In plan B . The end . \n"
    )
    assert split_sentences(text) == [
        "= Valkyria Chronicles III =",
        "Senjō no Valkyria 3 , is a role @-@ playing game .",
        "It was sold for 3 @.@ 5 million yen .",
        "Mr. J. Doe liked it !",
        "Did he ?",
        "In plan B .",
        "The end .",
    ]


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\n\n \n", "\u2028", "\f"])
def test_line_breaks_end_sentences(line_break: str) -> None:
    assert split_sentences(f"no stop{line_break}nor here, Dr.{line_break}Who e.g. this") == [
        "no stop",
        "nor here, Dr.",
        "Who e.g. this",
    ]


def test_nothing_but_white_space_is_lost() -> None:
    rng = random.Random(0)
    alphabet = [
        "a",
        "B",
        "Dr",
        "U.S",
        "好",
        "é",
        "1",
        ".",
        "..",
        "!",
        "?",
        "…",
        "。",
        "；",
        "”",
        '"',
        "(",
        ")",
        "，",
        ",",
    ]
    alphabet += [" ", " ", "\n", "\t", "\u3000", "\u2028", "\x1c", "\xa0", "\u200b", "🙂"]
    for _ in range(3000):
        text = "".join(rng.choices(alphabet, k=rng.randrange(60)))
        sentences = split_sentences(text)
        assert "".join("".join(sentences).split()) == "".join(text.split())
        assert all(sentence and sentence == sentence.strip() for sentence in sentences)


def test_no_text() -> None:
    assert split_sentences("") == split_sentences(" \n\n ") == []


@pytest.mark.parametrize("unit", ["a", ".", "。", " ", "“", "\n", ". ", ". a ", '." ', "A.", "!，", "1. "])
def test_long_repetitions_take_no_longer(unit: str) -> None:
    text = (unit * 1_000_000)[:1_000_000]
    began = time.perf_counter()
    sentences = split_sentences(text)
    assert time.perf_counter() - began < 4  # about 0.5 s on an idle machine; minutes where it is quadratic
    assert "".join("".join(sentences).split()) == "".join(text.split())
