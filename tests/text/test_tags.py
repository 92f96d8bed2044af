from __future__ import annotations

import random

import pytest
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOBES, Entities

from pretune.errors import InputError
from pretune.text.tags import Convention, Scheme, detect, is_spans, spans_of

SAME: dict[Scheme, list[str]] = {
    "iob2": ["B-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-LOC", "B-PER"],
    "iob1": ["I-PER", "I-PER", "O", "I-LOC", "B-LOC", "I-LOC", "I-PER"],
    "iobes": ["B-PER", "E-PER", "O", "S-LOC", "B-LOC", "E-LOC", "S-PER"],
}


@pytest.mark.parametrize("scheme", SAME)
def test_schemes_are_found_and_become_iob2(scheme: Scheme) -> None:
    assert detect([["O"], SAME[scheme]]).scheme == scheme
    assert Convention(scheme).read("x:1", SAME[scheme]) == SAME["iob2"]
    bilou = [tag.replace("E-", "L-").replace("S-", "U-") for tag in SAME["iobes"]]
    assert detect([bilou]).scheme == "iobes"
    assert Convention("iobes").read("x:1", bilou) == SAME["iob2"]


def test_plain_names() -> None:
    assert detect([["PER", "PER", "O"]]).scheme == "io"
    assert Convention("io").read("x:1", ["PER", "PER", "O", "LOC", "PER"]) == ["B-PER", "I-PER", "O", "B-LOC", "B-PER"]


def test_spans_are_those_of_seqeval() -> None:
    rng = random.Random(0)
    for _ in range(300):
        tags = [rng.choice(["O", "B-A", "I-A", "B-B", "I-B"]) for _ in range(rng.randint(1, 9))]
        lenient = [(start, end + 1, kind) for kind, start, end in get_entities(tags)]
        assert spans_of(tags) == [span for span in lenient if tags[span[0]].startswith("B-")]
        assert spans_of(Convention("iob1").read("x:1", tags)) == lenient  # where I- may begin a span
        single = [rng.choice(["O", "S-A", "S-B"]) for _ in range(4)]
        found = Entities([single], IOBES).entities[0]
        assert spans_of(Convention("iobes").read("x:1", single)) == [(e.start, e.end, e.tag) for e in found]


@pytest.mark.parametrize(
    ("tags", "scheme", "message"),
    [
        (["O", "I-PER"], "iob2", r"x:1: an illegal tag sequence: 'I-PER' \(word 2\) follows 'O'.*data.scheme: iob1"),
        (["B-LOC", "I-PER"], "iob2", "'I-PER' .word 2. follows 'B-LOC'"),
        (["B-PER", "O"], "iobes", "'O' .word 2. follows 'B-PER', where IOBES closes"),
        (["O", "B-PER"], "iobes", "'the end'"),
        (["E-PER"], "iobes", "follows 'the beginning'"),
        (["X-PER"], "iob2", "the tag 'X-PER' .word 1. is none of IOB2"),
        (["PER"], "iob2", "the tag 'PER'"),
    ],
)
def test_what_a_scheme_does_not_allow(tags: list[str], scheme: Scheme, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Convention(scheme).read("x:1", tags)


@pytest.mark.parametrize(
    ("spelled", "spelling"),
    [
        (["B_PER", "I_PER", "O", "B_LOC"], "B_X"),
        (["b-PER", "i-PER", "O", "b-LOC"], "b-x"),
        (["b-PER", "i-PER", "o", "b-LOC"], "b-x"),
        (["PER-B", "PER-I", "O", "LOC-B"], "X-B"),
        (["PER_B", "PER_I", "O", "LOC_B"], "X_B"),
    ],
)
def test_other_spellings(spelled: list[str], spelling: str) -> None:
    found = detect([spelled, [spelled[2]]])
    assert (found.scheme, found.spelling) == ("iob2", spelling)
    assert found.read("x:1", spelled) == ["B-PER", "I-PER", "O", "B-LOC"]
    assert f"spelled {spelling}; they are converted" in found.said(named=False)
    assert Convention(**found.to_dict()).read("x:1", spelled) == found.read("x:1", spelled)  # as a cache keeps it


def test_spans_without_kinds() -> None:
    found = detect([["B", "I", "O", "B"]])
    assert found.read("x:1", ["B", "I", "O", "B"]) == ["B-ENTITY", "I-ENTITY", "O", "B-ENTITY"]
    assert "data.label_names: {B: B-DISEASE" in found.said(named=False)
    assert detect([["B", "M", "E", "S", "O"]]).read("x:1", ["B", "M", "E"]) == ["B-ENTITY", "I-ENTITY", "I-ENTITY"]


def test_names_of_words() -> None:
    for tags in (["DT", "JJ", "NN"], ["0", "3", "2"], ["S", "B", "M", "E"], ["B-NP", "X", "Y", "Z"]):
        found = detect([tags])
        assert found.scheme == "tags"
        assert found.read("x:1", tags) == tags
    assert "data.label_names: [O, B-PER" in detect([["0", "1"]]).said(named=False)
    assert "numbers" not in detect([["DT", "NN"]]).said(named=False)
    assert detect([["O", "O"], ["O"]]).scheme == "iob2"


@pytest.mark.parametrize(
    ("usual", "slip", "message"),
    [
        (["B-PER", "I-PER", "O"], "0", "x:7: the tag '0' .word 2. is none of IOB2, which .*; did you mean 'O'?"),
        (["B-PER", "I-PER", "O"], "B_PER", "did you mean 'B-PER'?"),
        (["B-PER", "I-PER", "O"], "b-PER", "did you mean 'B-PER'?"),
        (["B-PER", "I-PER", "O"], "PER", "is none of IOB2"),
        (["B-PER", "I-PER", "O"], "E-PER", "none of IOB2.*did you mean 'I-PER'?"),
        (["I-PER", "I-PER", "O"], "0", "none of IOB1.*did you mean 'O'?"),
        (["S-PER", "O", "B-PER", "E-PER"], "X-PER", "none of IOBES"),
        (["PER", "LOC", "O"], "B-PER", "none of plain names"),
        (["DT", "NN", "JJ"], "B-NN", "none of TAGS"),
    ],
)
def test_one_slip_does_not_change_the_scheme(usual: list[str], slip: str, message: str) -> None:
    expected = detect([usual] * 30)
    found = detect([*[usual] * 30, ["O" if "O" in usual else "DT", slip]])
    assert (found.scheme, found.spelling) == (expected.scheme, expected.spelling)
    with pytest.raises(InputError, match=message):
        found.read("x", ["O" if "O" in usual else "DT", slip], lambda number: f"x:{6 + number}")
    explicit = Convention("tags")
    assert explicit.read("x", [slip]) == [slip]  # asked for


def test_what_spans_are() -> None:
    assert is_spans(["O", "B-A", "I-A"])
    assert is_spans(["O"])
    assert not is_spans(["DT", "NN", "O"])
