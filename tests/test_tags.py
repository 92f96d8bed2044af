from __future__ import annotations

import random

import pytest
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOBES, Entities

from pretune.errors import InputError
from pretune.tags import Convention, Scheme, detect, spans_of

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
