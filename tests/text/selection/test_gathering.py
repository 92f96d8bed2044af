"""What is gathered adds up, in any order and any division."""

from __future__ import annotations

import pickle
import random
from typing import Any

import numpy as np
import pytest
from tests_support import sentence

from pretune.text.selection.gathering import Gathered, gather
from pretune.text.selection.judging import make_judge
from pretune.text.selection.options import Selection
from pretune.text.selection.sample import Sample

TEXTS = [sentence(i, 5 + i % 9) for i in range(120)]


def parts(selection: Selection, texts: list[str], sizes: list[int]) -> Gathered:
    """Gathered in lots of so many."""
    gathered, begin = gather(selection, []), 0
    for size in sizes:
        gathered = gathered + gather(selection, texts[begin : begin + size])
        begin += size
    assert begin == len(texts)
    return gathered


@pytest.mark.parametrize(
    "options",
    [
        {"method": "importance", "target": "target.txt"},
        {"method": "diversity", "clusters": 5},
        {"method": "diversity", "clusters": 5, "centers": "k_center"},
        {"method": "random"},
    ],
)
def test_neither_order_nor_division_matters(options: dict[str, Any]) -> None:
    with open("target.txt", "w") as file:
        file.write("\n\n".join(TEXTS[:4]))
    selection = Selection(keep=0.5, **options)
    mixed = random.Random(0).sample(TEXTS, len(TEXTS))
    judges = [
        make_judge(selection, parts(selection, TEXTS, [120])),
        pickle.loads(pickle.dumps(make_judge(selection, parts(selection, mixed, [7, 0, 100, 13])))),
    ]
    one, other = judges[0](TEXTS), judges[1](TEXTS)
    assert one.keys.tolist() == other.keys.tolist()
    assert one.groups.tolist() == other.groups.tolist()
    halves = [judges[0](TEXTS[:50]), judges[0](TEXTS[50:])]
    assert np.concatenate([half.keys for half in halves]).tolist() == one.keys.tolist()
    assert np.concatenate([half.groups for half in halves]).tolist() == one.groups.tolist()
    assert (len(set(one.groups.tolist())) > 1) == (selection.method == "diversity")
    again = make_judge(Selection(keep=0.5, seed=1, **options), parts(selection, TEXTS, [120]))(TEXTS)
    assert again.keys.tolist() != one.keys.tolist()


def test_a_sample_of_samples() -> None:
    whole, first, second = Sample(10), Sample(10), Sample(10)
    whole.add(TEXTS)
    first.add(TEXTS[:70])
    second.add(TEXTS[60:90])  # some come twice
    second.add(TEXTS[90:])
    assert (first + second).in_order() == whole.in_order()
    assert len(whole.in_order()) == 10
