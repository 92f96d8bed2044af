"""Short inputs and small batches first: cheaper steps while there is still most to learn from each."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from typing_extensions import override

from ...contracts import FULL, data_facts
from ...errors import InputError, check_range


class _WarmUp(Callback):
    """The base of warm-ups: how far one is, in tokens (padding included), also after an interruption."""

    def __init__(self, tokens: int, start: int) -> None:
        for name, value in (("tokens", tokens), ("start", start)):
            check_range(f"{type(self).__name__}: {name}", value, least=1)
        self.tokens = tokens
        self.start = start
        self.seen = 0

    def now(self, final: int) -> int:
        """Return the size so far: `start`, doubled as often as it stays on the line to `final` and divides it."""
        line = self.start + (final - self.start) * min(1.0, self.seen / self.tokens)
        size = self.start
        while size * 2 <= line and final % (size * 2) == 0:
            size *= 2
        return final if line >= final else size

    def check(self, final: int, name: str) -> None:
        """Raise an `InputError` where doubling does not lead to the end."""
        if final % self.start:
            raise InputError(f"{type(self).__name__}: start ({self.start}) must divide {name} ({final}).")

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"seen": self.seen}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seen = state_dict["seen"]


class SequenceLengthWarmup(_WarmUp):
    """Cuts the blocks of a corpus into shorter ones at first (arXiv 2108.06084): (8, 128) becomes (64, 16), and so on.

    No token is lost: the pieces of a block are rows of the same batch. Attention is cheaper, and positions are learned
    from the first ones on; what stands between two pieces is not seen by the other. For `CorpusDataModule` with blocks;
    in validation blocks are whole. A GPU is waited for where a batch is padded (once an epoch), or may be.

    Args:
        tokens: how many the warm-up lasts; the length grows with them, doubling.
        start: tokens in a piece at first; it divides data.block_size.
    """

    def __init__(self, tokens: int, start: int = 16) -> None:
        super().__init__(tokens, start)

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        data = getattr(trainer, "datamodule", None)
        option = data_facts(data).length_option
        if stage != "fit" or option is None:  # of a loader of one's own, only batches tell
            return
        if option != "block_size":
            raise _no_blocks(f"{type(data).__name__} gives none")
        if data.packing:  # type: ignore[union-attr]
            raise _packed()
        self.check(data.block_size, "data.block_size")  # type: ignore[union-attr]

    @override
    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if not isinstance(batch, dict) or "input_ids" not in batch:
            raise _no_blocks("these batches have no input_ids")
        if "labels" in batch:
            raise _no_blocks("these batches have labels")
        if "cu_seq_lens" in batch:
            raise _packed()
        # Processes need not be at the same length: how long rows are is nothing that they exchange.
        rows, length = batch["input_ids"].shape
        self.check(length, "data.block_size")
        size = self.now(length)
        self.seen += rows * length
        if size == length:
            return
        cut = {name: value.reshape(-1, size) for name, value in batch.items() if _is_row(value, rows, length)}
        if (mask := cut.get("attention_mask")) is not None and not batch.get(FULL):
            has_tokens = mask.any(
                -1
            )  # a piece of the last block may hold nothing; a GPU is waited for to tell how many do
            cut = {name: value[has_tokens] for name, value in cut.items()}
        batch.update(cut)


class BatchSizeWarmup(_WarmUp):
    """Accumulates fewer batches for a step at first (arXiv 1812.06162): more steps from the same tokens.

    Args:
        tokens: how many the warm-up lasts, on each device (on average); the number of batches grows with them,
            doubling.
        start: batches in a step at first; it divides trainer.accumulate_grad_batches, where it ends.
    """

    def __init__(self, tokens: int, start: int = 1) -> None:
        super().__init__(tokens, start)
        self._final = 1
        self._size: int | None = None  # of windows as they are, which change later than `now` where they cannot yet

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        self._final = trainer.accumulate_grad_batches
        self.check(self._final, "trainer.accumulate_grad_batches")
        if trainer.max_steps == -1:
            raise InputError(
                "BatchSizeWarmup makes more steps out of an epoch, so that the schedule could not tell how many there "
                "will be: set trainer.max_steps."
            )

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._size is None or self._final % self._size:  # a new run, or one that goes on towards another size
            self._size = self.now(self._final)
        trainer.accumulate_grad_batches = self._size

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.seen += sum(value.numel() for name, value in batch.items() if name in ("input_ids", "segment_a"))
        if self._size == self._final or (batch_idx + 1) % self._size:  # type: ignore[operator]
            return
        if trainer.world_size > 1:
            # Processes get rows of different lengths, and would change the size at different batches: one would wait
            # for gradients that the other does not send. Lightning waits for the device at every batch anyway here.
            seen = torch.tensor(self.seen, device=trainer.strategy.root_device)
            self.seen = int(trainer.strategy.reduce(seen, reduce_op="sum")) // trainer.world_size
        size = self.now(self._final)
        if (batch_idx + 1) % size == 0:  # where windows of both sizes begin
            self._size = trainer.accumulate_grad_batches = size

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.accumulate_grad_batches = self._final

    @override
    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "size": self._size}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._size = state_dict.get("size")


def _no_blocks(why: str) -> InputError:
    return InputError(
        f"SequenceLengthWarmup cuts the blocks of a corpus, and {why}: leave it out of trainer.callbacks, or train on "
        "CorpusDataModule."
    )


def _packed() -> InputError:
    return InputError("SequenceLengthWarmup cuts blocks, and packs are none: set data.packing: false.")


def _is_row(value: Any, rows: int, length: int) -> bool:
    return isinstance(value, Tensor) and value.shape == (rows, length)
