from __future__ import annotations

import random

import pytest
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOBES, Entities

from pretune.errors import InputError
from pretune.tags import Scheme, detect, spans_of, tags_of, to_iob2

SAME: dict[Scheme, list[str]] = {
    "iob2": ["B-PER", "I-PER", "O", "B-LOC", "B-LOC", "I-LOC", "B-PER"],
    "iob1": ["I-PER", "I-PER", "O", "I-LOC", "B-LOC", "I-LOC", "I-PER"],
    "iobes": ["B-PER", "E-PER", "O", "S-LOC", "B-LOC", "E-LOC", "S-PER"],
}


@pytest.mark.parametrize("scheme", SAME)
def test_schemes_are_found_and_become_iob2(scheme: Scheme) -> None:
    assert detect([["O"], SAME[scheme]]) == scheme
    assert to_iob2("x:1", SAME[scheme], scheme) == SAME["iob2"]
    bilou = [tag.replace("E-", "L-").replace("S-", "U-") for tag in SAME["iobes"]]
    assert detect([bilou]) == "iobes"
    assert to_iob2("x:1", bilou, "iobes") == SAME["iob2"]


def test_plain_names() -> None:
    assert detect([["PER", "PER", "O"]]) == "io"
    assert to_iob2("x:1", ["PER", "PER", "O", "LOC", "PER"], "io") == ["B-PER", "I-PER", "O", "B-LOC", "B-PER"]


def test_spans_are_those_of_seqeval() -> None:
    rng = random.Random(0)
    for _ in range(300):
        tags = [rng.choice(["O", "B-A", "I-A", "B-B", "I-B"]) for _ in range(rng.randint(1, 9))]
        lenient = [(start, end + 1, kind) for kind, start, end in get_entities(tags)]
        assert spans_of(tags) == [span for span in lenient if tags[span[0]].startswith("B-")]
        assert spans_of(to_iob2("x:1", tags, "iob1")) == lenient  # where I- may begin a span
        single = [rng.choice(["O", "S-A", "S-B"]) for _ in range(4)]
        found = Entities([single], IOBES).entities[0]
        assert spans_of(to_iob2("x:1", single, "iobes")) == [(e.start, e.end, e.tag) for e in found]


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
        to_iob2("x:1", tags, scheme)


def test_spans_of_characters_become_tags_of_words() -> None:
    words = [(0, 3), (4, 8), (8, 9), (10, 12)]
    assert tags_of(words, [(0, 8, "PER"), (10, 12, "LOC")]) == ["B-PER", "I-PER", "O", "B-LOC"]
