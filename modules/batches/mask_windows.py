"""Which parts of a text that is too long for the network are read for the masks in it."""

from __future__ import annotations

from collections.abc import Sequence


def mask_windows(masks: Sequence[int], length: int, room: int | None) -> list[tuple[int, list[int]]]:
    """Return where windows begin, and the masks that each answers; none where there is no mask.

    A mask stands in the middle of its window, or as near to it as the ends of the text permit: nowhere else is there
    as much of the text on both sides of it.

    Args:
        masks: the places of the mask tokens.
        length: tokens of the text.
        room: tokens in a window; None: as many as there are.
    """
    windows: dict[int, list[int]] = {}
    for place in masks:
        first = 0 if room is None else max(0, min(place - room // 2, length - room))
        windows.setdefault(first, []).append(place)
    return list(windows.items())
