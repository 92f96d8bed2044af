"""A batch as one padded row for each document, whichever way it came, and the way back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...contracts import LONGEST
from .targets import Targets


class PaddedRows:
    """A batch as padded rows.

    Objectives corrupt rows; how the network computes them, padded or packed, is another matter. A packed batch holds
    its documents one after the other in a single row; here each has its own.

    Args:
        batch: `input_ids` with `attention_mask` (rows, length), or packed, (1, tokens), with `cu_seq_lens`. A packed
            batch may say what its `longest` document is, so that nobody has to wait for a GPU to find out.
        pad_id: for the places after the end of a row.
        packed: whether a packed batch stays packed for the network; if not, the network gets the padded rows.
    """

    def __init__(self, batch: dict[str, Any], pad_id: int, packed: bool = True) -> None:
        self.batch = batch
        self.pad_id = pad_id
        self.packed = packed and "cu_seq_lens" in batch
        if "cu_seq_lens" in batch:
            bounds = batch["cu_seq_lens"].long()
            self._starts, lengths = bounds[:-1].unsqueeze(1), bounds.diff().unsqueeze(1)
            longest = batch.get(LONGEST) or int(lengths.max())
            columns = torch.arange(longest, device=bounds.device)
            self.real = columns < lengths
            # Where each place of the padded rows is in the pack; what is no token points anywhere.
            self._sources = (self._starts + columns).clamp(max=batch["input_ids"].shape[1] - 1)
            self.mask: Tensor | None = self.real.long()
        else:
            self.mask = batch.get("attention_mask")
            ids = batch["input_ids"]
            self.real = self.mask.bool() if self.mask is not None else torch.ones_like(ids, dtype=torch.bool)
        self.tokens = batch["input_ids"].numel()
        """Places in the layout that the batch came in, padding included."""
        self.ids = self.of("input_ids", pad_id)
        self.fresh = self.real
        """(rows, length), boolean: the real tokens that are not context from the row before."""
        if "overlap" in batch:
            places = torch.arange(self.ids.shape[1], device=self.ids.device)
            self.fresh = self.real & (places >= batch["overlap"].unsqueeze(1))

    def of(self, key: str, padding: int = 0) -> Tensor:
        """Return a key of the batch as padded rows, (rows, length)."""
        values: Tensor = self.batch[key]
        if "cu_seq_lens" not in self.batch:
            return values
        return values[0][self._sources].where(self.real, padding)

    def place(self, rows: Tensor) -> Tensor:
        """Return padded rows in the layout in which the network computes: as they are, or packed, (1, tokens)."""
        if not self.packed:
            return rows
        places = torch.arange(self.batch["input_ids"].shape[1], device=rows.device)
        row = torch.searchsorted(self._starts.squeeze(1), places, right=True) - 1
        return rows[row, places - self._starts.squeeze(1)[row]].unsqueeze(0)

    def places(self, targets: Targets) -> Tensor:
        """Return (targets,): where targets among padded rows are in the layout in which the network computes."""
        if not self.packed:
            return targets.places
        length = self.ids.shape[1]
        places: Tensor = self._starts.squeeze(1)[targets.places // length] + targets.places % length
        return places

    def inputs(self, ids: Tensor) -> dict[str, Tensor]:
        """Return the batch with other token ids, (rows, length), in the layout in which the network computes."""
        if self.packed or "cu_seq_lens" not in self.batch:
            return {**self.batch, "input_ids": self.place(ids)}
        inputs = {"input_ids": ids, "attention_mask": self.real.long()}
        if "token_type_ids" in self.batch:
            inputs["token_type_ids"] = self.of("token_type_ids")
        return inputs


Rows = PaddedRows
"""Its name in version 0.1."""
