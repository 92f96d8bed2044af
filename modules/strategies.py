"""How a network is spread over devices, where Lightning's own strategies need help."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.fabric.utilities.data import sized_len
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.optim import Optimizer
from torch.utils._pytree import tree_iter
from typing_extensions import override

from ..checkpoints import read_checkpoint
from ..errors import InputError
from .sharding import load_optimizer_state, load_whole, whole_optimizer_state


class FullySharded(ModelParallelStrategy):
    """Weights, gradients and the optimizer's state divided over all processes (FSDP2; arXiv 2304.11277).

    On the command line and in YAML its name is `fully_sharded`. For networks that do not fit on one device beside their
    optimizer. The modules of this suite divide themselves, layer by layer. Each process must have the memory (of the
    machine, not of the device) for the whole network once, at the start. Checkpoints are as they are without it, single
    files from which any strategy goes on.

    Args:
        process_group_backend: `nccl` or `gloo`; null chooses by device.
    """

    def __init__(self, process_group_backend: str | None = None) -> None:
        super().__init__(
            tensor_parallel_size=1, save_distributed_checkpoint=False, process_group_backend=process_group_backend
        )

    @override
    def setup_environment(self) -> None:
        self._data_parallel_size = self.num_nodes * self.num_processes
        super().setup_environment()

    @override
    def on_validation_start(self) -> None:
        self._enough("val", "validation")

    @override
    def on_test_start(self) -> None:
        self._enough("test", "test")

    def _enough(self, stage: str, part: str) -> None:
        """A process without examples would not come to where all compute together, and the others would wait."""
        assert self.lightning_module is not None
        loaders = getattr(self.lightning_module.trainer, f"{stage}_dataloaders")
        for loader in tree_iter(loaders):
            size = sized_len(getattr(loader, "dataset", loader))
            if size is not None and size < self.world_size:
                raise InputError(
                    f"The {part} part has {size} examples for {self.world_size} processes, and where a network is "
                    "divided each must have one: more examples, or trainer.devices: 1, would work."
                )

    @override
    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        return whole_optimizer_state(optimizer.optimizer if isinstance(optimizer, LightningOptimizer) else optimizer)

    @override
    def load_checkpoint(self, checkpoint_path: str | Path, weights_only: bool | None = None) -> dict[str, Any]:
        checkpoint = read_checkpoint(checkpoint_path)
        assert self.model is not None
        load_whole(self.model, checkpoint["state_dict"])
        for optimizer, state in zip(self.optimizers, checkpoint.get("optimizer_states", []), strict=False):
            load_optimizer_state(optimizer, state)
        return checkpoint
