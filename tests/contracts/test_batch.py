"""What is known of a batch before it goes to the device."""

from __future__ import annotations

from typing import Any

import torch

from pretune.contracts import CAPACITY, FULL, LONGEST, TARGETS, TOKENS, with_hints, without_hints


def batch(*lengths: int) -> dict[str, Any]:
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    return {"input_ids": mask + 4, "attention_mask": mask, "labels": mask - 1}


def test_padded_rows() -> None:
    found = with_hints(batch(5, 2))
    assert {key: found[key] for key in (FULL, TOKENS, LONGEST, TARGETS)} == {
        FULL: False,
        TOKENS: 7,
        LONGEST: 5,
        TARGETS: 7,
    }


def test_what_needs_no_count_has_none() -> None:
    assert with_hints(batch(3, 3))[FULL] is True
    assert not {TOKENS, LONGEST} & with_hints(batch(3, 3)).keys()
    assert TOKENS not in with_hints(batch(3, 0))  # a row of padding alone is not taken out
    several = {key: value[None] for key, value in batch(5, 2).items()}  # of endings
    assert with_hints(several)[TOKENS] == 7
    assert FULL not in with_hints(several)
    pairs = {key: torch.stack([value, value]) for key, value in batch(5, 2).items() if key != "labels"}
    found = with_hints({**pairs, "choice_mask": torch.tensor([[1, 1], [0, 1]])})  # rows with fewer endings
    assert (found[TOKENS], found[LONGEST]) == (9, 5)
    assert FULL not in found
    assert with_hints([1, 2]) == [1, 2]


def test_they_can_be_taken_out() -> None:
    """By whoever changes a batch later: what was counted is of another one."""
    given = batch(5, 2)
    assert without_hints({**with_hints(given), CAPACITY: 10}).keys() == given.keys()
