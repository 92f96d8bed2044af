"""What every dataset of batches is: asked for many examples at a time, and never for one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Integral

from torch import Tensor

from ...errors import InputError


class WholeBatches(ABC):
    """The base of datasets that make a batch out of a list of examples, which is faster than one by one."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def batch(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch of some examples.

        Args:
            indices: of the examples.
        """

    def __getitem__(self, indices: list[int]) -> dict[str, Tensor]:
        """Return a batch of some examples.

        Raises:
            InputError: for a single number, as a loader of somebody's own asks.
        """
        if isinstance(indices, Integral):
            raise InputError(
                f"This dataset makes whole batches: dataset[[3, 5]] is one of two examples, and dataset[{indices}] is "
                "none. Take the datamodule's own loader (data.train_dataloader()), or in one of your own a sampler of "
                "lists: DataLoader(dataset, sampler=BatchSampler(...), batch_size=None)."
            )
        return self.batch(indices)
