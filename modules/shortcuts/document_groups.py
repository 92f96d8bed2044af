"""Packed documents of similar length side by side, for attention that has no kernel for packs.

A product of matrices for each document is exact and wastes nothing, but calls cost more than short documents do. So
documents are sorted by length, and one joins the longer ones where its padding costs less than a call of its own.

Touches: nothing by itself; `packed_attention` has it put documents side by side, as torch 2.13 has no kernel for packs
on a CPU, nor on a GPU in float32.
Off: `data.packing: false` and `model.shortcuts: false`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

CALL = 1 << 16
"""Scores that take about as long as the operations of one more call."""


@dataclass(frozen=True)
class Groups:
    """Packed documents in groups: where each token goes.

    Args:
        lengths: of the documents of each group, the longest first; each is padded to it.
        places: (padded tokens,), int64, of all groups one after the other: which token is there.
        slots: (tokens,), int64: where each token is.
        padding: int64, the padded tokens that are none.
    """

    lengths: list[list[int]]
    places: Tensor
    slots: Tensor
    padding: Tensor

    def pad(self, tokens: Tensor) -> list[Tensor]:
        """Return each group by itself.

        Args:
            tokens: (1, heads, tokens, width).

        Returns:
            For each group (documents, heads, longest, width); 0 where there is no token.
        """
        _, heads, _, width = tokens.shape
        flat = tokens[0].transpose(0, 1).reshape(-1, heads * width)
        padded = _Moved.apply(flat, self.places, self.slots, self.padding, None)
        parts = padded.split([len(group) * group[0] for group in self.lengths])
        return [
            part.view(len(group), group[0], heads, width).transpose(1, 2)
            for group, part in zip(self.lengths, parts, strict=True)
        ]

    def together(self, groups: Iterator[Tensor]) -> Tensor:
        """Return the tokens of all groups end to end again, (1, tokens, heads, width)."""
        parts = [part.transpose(1, 2).flatten(0, 1) for part in groups]
        padded = torch.cat(parts)
        flat = _Moved.apply(padded.flatten(1), self.slots, self.places, None, self.padding)
        return flat.view(1, -1, *padded.shape[1:])  # type: ignore[no-any-return]

    @cached_property
    def masks(self) -> list[Tensor | None]:
        """For each group the tokens that are some, boolean, (documents, 1, 1, longest); None where all are."""
        places = torch.arange(self.lengths[0][0], device=self.places.device)
        return [
            None
            if group[-1] == group[0]
            else (places[: group[0]] < torch.tensor(group, device=places.device)[:, None])[:, None, None]
            for group in self.lengths
        ]


class _Moved(torch.autograd.Function):
    """Chooses rows; as each row goes to one place, the gradient is chosen as well, where torch's would be added up."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, places: Tensor, slots: Tensor, empty: Tensor | None, unused: Tensor | None
    ) -> Tensor:
        ctx.save_for_backward(slots, unused)
        moved = rows.index_select(0, places)
        return moved if empty is None else moved.index_fill_(0, empty, 0)

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None, None, None]:
        slots, unused = ctx.saved_tensors
        gradient = outer.index_select(0, slots)
        return (gradient if unused is None else gradient.index_fill_(0, unused, 0)), None, None, None, None


@lru_cache(maxsize=4)  # each layer asks for the same one
def groups_of(lengths: tuple[int, ...], heads: int, device: torch.device) -> Groups:
    """Group documents for attention.

    Args:
        lengths: tokens of each document in the pack.
        heads: of the query.
        device: for the indices.
    """
    starts = [0, *accumulate(lengths)]
    order = sorted((i for i, n in enumerate(lengths) if n), key=lambda i: -lengths[i])
    groups: list[list[int]] = []
    for document in order:
        length, longest = lengths[document], lengths[groups[-1][0]] if groups else 0
        # At most half of a row is padding, so that memory stays within bounds too.
        if 2 * length >= longest and heads * (longest**2 - length**2) <= CALL and groups:
            groups[-1].append(document)
        else:
            groups.append([document])
    places: list[int] = []
    padding: list[int] = []
    slots = [0] * starts[-1]
    for group in groups:
        for document in group:
            begin, length, longest = starts[document], lengths[document], lengths[group[0]]
            slots[begin : begin + length] = range(len(places), len(places) + length)
            padding += range(len(places) + length, len(places) + longest)
            places += [*range(begin, begin + length), *[begin] * (longest - length)]
    tensors = (torch.tensor(indices, dtype=torch.long, device=device) for indices in (places, slots, padding))
    return Groups([[lengths[document] for document in group] for group in groups], *tensors)
