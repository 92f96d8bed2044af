"""Training that goes back to good weights where the loss has jumped, and past the data that it jumped at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor
from torch.optim import Optimizer
from typing_extensions import override

from ...checkpoints import is_complete, read_checkpoint
from ...contracts import module_facts
from ...errors import InputError, check_range
from ..optimization.guard import READ_EVERY, NumericGuard, all_finite
from ..optimization.spikes import ENOUGH
from ..sharding import load_optimizer_state, load_whole
from .save_points import SavesOnRequest, is_between_steps


class Rollback(Callback):
    """A way back: after a jump of the loss that lasts, training goes on from the weights of the last good checkpoint.

    The practice of PaLM (arXiv 2204.02311, section 5.1), without a person who watches: weights, the optimizer's state
    and averages are those of `good.ckpt` again, and the batches since are skipped, as the data go on after them. Steps,
    schedule and validations are counted on, as over steps that are left out (`model.max_skips`).

    Every 10 steps the losses are looked at, the same for all processes; from the 30th step on, every `every_n_steps`,
    where none is high, `good.ckpt` is written. Both depend on steps alone, so that a resumed run does as an
    uninterrupted one would.

    Args:
        limit: how often it may go back; at the next such jump the run stops with an error.
        every_n_steps: optimizer steps from one good checkpoint to the next.
        folder: where `good.ckpt` lies; null takes `checkpoints` in the trainer's folder.

    Raises:
        InputError: if the loss jumps once more than `limit`.
    """

    def __init__(self, limit: int = 3, every_n_steps: int = 100, folder: str | Path | None = None) -> None:
        for name, value in (("limit", limit), ("every_n_steps", every_n_steps)):
            check_range(f"Rollback: {name}", value, least=1)
        self.limit = limit
        self.every_n_steps = every_n_steps
        self.folder = folder
        self.done: list[dict[str, int]] = []
        """Of each time: the step `at` which it went back, the step `to` which, and that of the `spike`."""
        self._good: int | None = None
        self._looked_at = 0
        self._told = 0  # the step of the latest jump that it could not go back from

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"done": [dict(entry) for entry in self.done], "good": self._good, "looked_at": self._looked_at}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.done, self._good = [dict(entry) for entry in state_dict["done"]], state_dict["good"]
        self._looked_at = state_dict["looked_at"]

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit":
            self.done, self._good, self._looked_at = [], None, 0

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        guard, step = module_facts(pl_module).guard, trainer.global_step
        if guard is None or trainer.fast_dev_run or step % READ_EVERY or step == self._looked_at:  # type: ignore[attr-defined]
            return
        if not is_between_steps(trainer):
            return
        guard.read(now=True)
        spike = guard.spikes.lasting(self._looked_at + 1)
        self._looked_at = step
        if trainer.strategy.reduce_boolean_decision(spike is not None, all=False):
            self._go_back(trainer, pl_module, guard, spike or guard.spikes.noted[-1])
        elif step >= (ENOUGH if self._good is None else self._good + self.every_n_steps):
            calm = not guard.spikes.is_open and all_finite([pl_module])
            if trainer.strategy.reduce_boolean_decision(calm, all=True):
                self._good = step
                trainer.save_checkpoint(self._path(trainer), weights_only=False)

    def _path(self, trainer: Trainer) -> Path:
        return Path(self.folder or Path(trainer.default_root_dir, "checkpoints")) / "good.ckpt"

    def _go_back(self, trainer: Trainer, pl_module: Any, guard: NumericGuard, spike: dict[str, Any]) -> None:
        step, path = trainer.global_step, self._path(trainer)
        jump = (
            f"The training loss jumped at step {spike['step']:,}, to {spike['loss']:.4g} where {spike['typical']:.4g} "
            f"was typical, and stayed high for {spike['steps']:,} steps"
        )
        content = self._content(path)
        if not trainer.strategy.reduce_boolean_decision(content is not None, all=True):
            if self._told != spike["step"]:
                rank_zero_warn(f"{jump}; there is no good checkpoint of this run to go back to ({path}).")
            self._told = spike["step"]
            return
        if len(self.done) >= self.limit:
            raise InputError(
                f"{jump}. It went back {self.limit:,} times already (model.max_rollbacks), so that the run was "
                f"stopped: try a lower model.learning_rate (now {module_facts(pl_module).learning_rate}), more "
                "warmup, or a lower trainer.gradient_clip_val; or look at the data there."
            )
        assert content is not None
        load_whole(pl_module, content.get("current_model_state", content["state_dict"]))
        for optimizer, state in zip(trainer.optimizers, content["optimizer_states"], strict=True):
            _restore(optimizer, state)
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, WeightAveraging):
                callback.on_load_checkpoint(trainer, pl_module, content)
            elif isinstance(callback, SavesOnRequest):
                callback.is_asked = True  # a run that is killed later must not need this good checkpoint, but the next
        guard.spikes.close()
        self.done.append({"at": step, "to": int(content["global_step"]), "spike": spike["step"]})
        rank_zero_warn(
            f"{jump}: weights and optimizer are those of step {content['global_step']:,} again, and the batches since "
            f"are skipped ({len(self.done)} of {self.limit} times; model.max_rollbacks)."
        )

    def _content(self, path: Path) -> dict[str, Any] | None:
        """Return the good checkpoint of this very run; None where there is none, or another's."""
        if self._good is None or not path.is_file() or not is_complete(path):
            return None
        content = read_checkpoint(path)
        return content if content["global_step"] == self._good else None


def _restore(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Give an optimizer its averages of then, and leave it the rates of now."""
    now = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    # What was read lies in the file, which the next good checkpoint replaces.
    load_optimizer_state(optimizer, {**state, "state": apply_to_collection(state["state"], Tensor, torch.clone)})
    for group, options in zip(optimizer.param_groups, now, strict=True):
        group.update(options)
