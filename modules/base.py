"""The base of every objective and task: one shared step."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from ..contracts import DataKind
from ..errors import check_range
from .backbone.backbone import Backbone
from .batches.targets import Targets, find_targets
from .early_checks import check_early
from .inputs import network_inputs
from .measured import MeasuredModule
from .output import Output, held_together, outputs_by_part, refuse_batch
from .refusals import refuse_answer_options, refuse_predicting, refuse_unbuilt
from .shortcuts.static_shapes import compiling, has_the_shape
from .shortcuts.take_shortcuts import take_shortcuts
from .untrained import refuse_untrained

__all__ = ["BaseModule", "Output"]


class BaseModule(MeasuredModule):
    """One Hugging Face network trained on one signal.

    A subclass names the `auto_class` of its network and the `default_monitor`, computes an `Output` in `step`, and says
    in `make_metrics` what to measure. An objective with several losses names them in `parts` and returns an `Output`
    for each. What there is to override besides stands in `MeasuredModule` (metrics), `NetworkModule` (the network, its
    checkpoints and exports), `OptimizedModule` (how it learns) and `HostedModule` (who runs it).

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        label_smoothing: probability mass spread over the other classes, in the training loss alone (arXiv 1512.00567).
        r_drop: weight of the disagreement of two passes with different dropout (arXiv 2106.14448), such as 1; 0 is
            off. A step takes twice the time.
        shortcuts: leave out what changes no result (the head where there is no target, masks where nothing is padded,
            on a CPU the padding of encoders) and compute the rest as the device does it fastest; false computes all the
            plain way, for comparison.
        **optimization: `monitor`, `monitor_mode`, and how it learns: `learning_rate`, `schedule`, `warmup`, ...
    """

    batch_keys: tuple[str, ...] = ("input_ids",)
    """What a batch must hold."""
    learns_from: DataKind = "text"
    """What the rows of its data must be."""
    datamodules: tuple[str, ...] = ()
    """Those that give such batches, for messages."""

    def __init__(
        self,
        backbone: str | Backbone,
        label_smoothing: float = 0.0,
        r_drop: float = 0.0,
        shortcuts: bool = True,
        **optimization: Any,
    ) -> None:
        super().__init__(backbone, **optimization)
        check_range("model.label_smoothing", label_smoothing, least=0, below=1)
        check_range("model.r_drop", r_drop, least=0)
        self.label_smoothing = label_smoothing
        self.r_drop = r_drop
        self.shortcuts = shortcuts
        self.target_counts: dict[str, Tensor] = {}
        """Of each part the targets of the latest training batch; scalars on the device."""
        self._has_the_shape = True

    def step(self, batch: dict[str, Tensor], stage: str) -> Output | dict[str, Output]:
        """Return loss and predictions of one batch, or of each part; `stage` is `train`, `val` or `test`."""
        raise TypeError(f"{type(self).__name__} must define `step`.")

    # ------------------------------------------------------------------ what a step is made of

    def network_inputs(self, batch: dict[str, Any], network: Any = None) -> dict[str, Any]:
        """Return what a network takes out of a batch; `network` is this module's own unless another one is given."""
        network = self.model if network is None else network
        return network_inputs(network, batch, self.shortcuts, self.shortcuts and self.backbone.compile)

    def targets(self, chosen: Tensor, most: int | None = None) -> Targets:
        """Return the places to predict at.

        Args:
            chosen: (rows, length), boolean.
            most: how many there are at the most, if that is known: a GPU is not asked to count them then.
        """
        if not self.shortcuts and not self.r_drop:
            return Targets(torch.arange(chosen.numel(), device=chosen.device), chosen.flatten())
        return find_targets(chosen, most if chosen.is_cuda and not self.r_drop else None)

    def smoothing(self, stage: str) -> float:
        """Return the share of label smoothing in the loss of a stage."""
        return self.label_smoothing if stage == "train" else 0.0

    def loss_options(self, stage: str) -> dict[str, Any]:
        """Return how the loss over a vocabulary is computed in a stage, as `recovered` takes it."""
        compiled = self.backbone.compile and self.shortcuts and self.device.type == "cuda"
        return {"smoothing": self.smoothing(stage), "plain": not self.shortcuts, "compiled": compiled}

    # ------------------------------------------------------------------ steps

    def shared_step(self, batch: dict[str, Tensor], stage: str) -> dict[str, Output]:
        """Return the outputs of one step of any stage, by part, and measure them."""
        refuse_batch(self, batch)
        with self.counted_step(stage):
            outputs = self._outputs(batch, stage)
            if stage == "train" and self.r_drop:
                outputs = held_together(outputs, self._outputs(batch, stage), self.r_drop)
        self.metrics.update(self, stage, outputs)
        return outputs

    def _outputs(self, batch: dict[str, Tensor], stage: str) -> dict[str, Output]:
        refuse_unbuilt(self)
        self._has_the_shape = not (self.backbone.compile and self.shortcuts) or has_the_shape(batch)
        with compiling(self._has_the_shape):
            return outputs_by_part(self.step(batch, stage), self)

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """Sum over targets; `on_before_optimizer_step` divides by their number in the whole window."""
        outputs = self.shared_step(batch, "train")
        self.target_counts = {part: output.count.detach() for part, output in outputs.items()}
        return self.add_to_window([output.loss for output in outputs.values()], list(self.target_counts.values()))

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """As Lightning's; compiles nothing for a batch of another shape."""
        with compiling(self._has_the_shape):
            super().backward(loss, *args, **kwargs)

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> dict[str, Output]:
        """Return the outputs by part, and measure them; a second loader's go to `val/loss/dataloader_idx_1`."""
        return self._evaluate(batch, "val", dataloader_idx)

    def test_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> dict[str, Output]:
        """Return the outputs by part, and measure them; a second loader's go to `test/loss/dataloader_idx_1`."""
        return self._evaluate(batch, "test", dataloader_idx)

    def _evaluate(self, batch: dict[str, Tensor], stage: str, loader: int) -> dict[str, Output]:
        self.loader_number = loader
        self.build()
        self.expect_loader(stage, loader)
        try:
            return self.shared_step(batch, stage)
        finally:
            self.loader_number = None

    # ------------------------------------------------------------------ the course of a run

    def configure_callbacks(self) -> list[Callback]:
        """Return those that options ask for; refuse, before anything is read, what cannot come to a good end."""
        check_early(self)
        return super().configure_callbacks()

    def on_fit_start(self) -> None:
        """Take shortcuts, on the device where the networks are now."""
        super().on_fit_start()
        self.take_shortcuts()

    def take_shortcuts(self) -> None:
        """Change how the networks compute, and not what; for training, on the device where they are now."""
        for network in self.networks() if self.shortcuts else []:
            take_shortcuts(network, self.device)

    def on_predict_start(self) -> None:
        """Refuse to predict where there is nothing to, and with a head that was never trained."""
        refuse_predicting(self)
        refuse_answer_options(self)
        refuse_untrained(self)
