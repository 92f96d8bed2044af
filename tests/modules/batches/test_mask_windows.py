from __future__ import annotations

import pytest

from pretune.modules.batches.mask_windows import mask_windows


def test_a_mask_stands_in_the_middle_or_as_near_as_the_ends_permit() -> None:
    assert mask_windows([0, 10, 11, 29], 30, 8) == [(0, [0]), (6, [10]), (7, [11]), (22, [29])]
    assert mask_windows([1, 3], 30, 8) == [(0, [1, 3])]  # computed once


@pytest.mark.parametrize("room", [None, 30, 31])
def test_what_fits_is_one_window(room: int | None) -> None:
    assert mask_windows([4, 20], 30, room) == [(0, [4, 20])]
    assert mask_windows([], 30, room) == mask_windows([], 30, 8) == []


@pytest.mark.parametrize("room", [1, 2, 7, 8])
def test_each_mask_is_in_its_window_with_all_the_context_that_fits(room: int) -> None:
    for place in range(20):
        ((first, masks),) = mask_windows([place], 20, room)
        assert masks == [place]
        assert 0 <= first <= place < first + room <= 20
        before, after = place - first, first + room - 1 - place
        assert before in (0, place, room // 2) or after in (0, 19 - place)
