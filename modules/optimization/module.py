"""How a module learns: optimizer, schedule, gradient per target, and what keeps pretrained weights from drifting."""

from __future__ import annotations

import math
from typing import Any

import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from ...errors import InputError, check_range
from ..hosted import HostedModule
from ..refusals import refuse_unfreezing
from .averages import averaged_weights, warn_of_resumed_averages
from .broken_steps import RecentSteps, check_trained, clip_or_leave_out
from .clock import Clock
from .guard import NumericGuard
from .l2_sp import DecayToStart, weights_at_start
from .optimizers import OptimizerName, make_optimizer, parameter_groups
from .rate import rate_factor
from .resuming import Changes, differences, refuse_fixed, resume_as_asked, trained_with
from .schedules import GrowingSchedule, ScheduleName
from .seeding import seed_step
from .unfreezing import GradualUnfreezing
from .window import Window

START = "start"
"""The checkpoint entry for the weights that training started from."""
TRAINED_WITH = "trained_with"
"""The checkpoint entry for the options of trainer and loader."""
LEFT_OUT = "left_out"
"""The checkpoint entry for what the numeric guard has counted."""
SPIKES = "spikes"
"""The checkpoint entry for its view of the loss."""


class OptimizedModule(HostedModule):
    """A module whose gradient is the mean over targets, whatever batches, accumulation and processes.

    Args:
        learning_rate: the peak of the schedule.
        weight_decay: decoupled decay, not on biases and norms.
        optimizer: `adamw`, fused and bias-corrected; `muon` for the matrices of hidden layers, with AdamW for the rest
            and updates of the same size (arXiv 2502.16982); or `sgd` with momentum 0.9.
        betas: AdamW's averaging factors.
        schedule: `constant`, `linear`, `cosine`, or `wsd` (arXiv 2405.18392); it steps with the optimizer.
        warmup: steps in which the rate rises, or a fraction of the run when below 1.
        layer_decay: factor on the rate from each layer to the one below it (arXiv 1801.06146).
        l2_sp: decoupled decay towards the pretrained weights, which takes the place of `weight_decay` where there are
            any (L2-SP, arXiv 1802.01483); 0 is off. Costs the memory of the weights once more.
        gradual_unfreezing: steps, or a fraction of the run when below 1, in which the layers begin to learn, the head
            at once and the embeddings last (arXiv 1801.06146); 0 is off. Frozen layers cost no backward pass.
        max_skips: a step whose loss or gradient is not finite is left out; so many in a row stop the run with an error.
            0 never does.
        max_rollbacks: where the loss jumps and stays high, training goes on with the weights of the last good
            checkpoint and the data after the jump (arXiv 2204.02311, section 5.1); at most so often, then it stops with
            an error. 0 is off: jumps are only told. See `Rollback`.
    """

    def __init__(
        self,
        learning_rate: float = 5e-5,
        weight_decay: float = 0.01,
        optimizer: OptimizerName = "adamw",
        betas: tuple[float, float] = (0.9, 0.999),
        schedule: ScheduleName = "linear",
        warmup: float = 0.1,
        layer_decay: float = 1.0,
        l2_sp: float = 0.0,
        gradual_unfreezing: float = 0.0,
        max_skips: int = 10,
        max_rollbacks: int = 0,
    ) -> None:
        super().__init__()
        check_range("model.learning_rate", learning_rate, above=0)
        check_range("model.layer_decay", layer_decay, above=0, most=1)
        for beta in betas:
            check_range("model.betas", beta, least=0, below=1)
        for name, value in (
            ("weight_decay", weight_decay),
            ("warmup", warmup),
            ("l2_sp", l2_sp),
            ("gradual_unfreezing", gradual_unfreezing),
            ("max_skips", max_skips),
            ("max_rollbacks", max_rollbacks),
        ):
            check_range(f"model.{name}", value, least=0)
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.optimizer_name = optimizer
        self.betas = betas
        self.schedule = schedule
        self.warmup = warmup
        self.layer_decay = layer_decay
        self.l2_sp = l2_sp
        self.gradual_unfreezing = gradual_unfreezing
        self.max_skips = max_skips
        self.max_rollbacks = max_rollbacks
        self.guard = NumericGuard(max_skips)
        self.recent_steps = RecentSteps(max_skips)
        self._window: Window | None = None
        self.last_loss: Tensor | None = None  # of the step just taken, over all processes, on its device
        self.total_steps: float = float("inf")
        self.clock = Clock()
        self._start: dict[str, Tensor] | None = None
        self.group_options: list[dict[str, Any]] = []
        """The options of the optimizer's groups, as asked for."""
        self.trained_before: dict[str, Any] | None = None
        """What the trainer's options were when the checkpoint that is resumed was taken."""
        self.resumed: dict[str, Any] | None = None  # `step` and `changed`: what its summary says
        self.changes: Changes = {}
        self.batches_ahead = 0  # of a resumed run: as batches are cut now, those that its steps do not account for
        self._unfreezing: GradualUnfreezing | None = None

    # ------------------------------------------------------------------ hooks for subclasses

    def networks(self) -> list[nn.Module]:
        """Return everything that learns."""
        raise TypeError(f"{type(self).__name__} must say what learns: define `networks`.")

    def parts(self) -> dict[str, float]:
        """Return the weights of the losses whose sum is the loss, by name; one nameless part as it is."""
        return {"": 1.0}

    def pretrained(self) -> dict[str, nn.Parameter]:
        """Return the learning parameters whose weights were loaded, by name."""
        return {}

    # ------------------------------------------------------------------ the gradient of a window

    def add_to_window(self, losses: list[Tensor], counts: list[Tensor]) -> Tensor:
        """Add the sums over targets of a micro-batch, one for each part.

        Returns:
            The scalar to run backward on: its gradient is that of the sums, its value the mean, which is what callbacks
            (such as the learning-rate finder) take it for.
        """
        if not self.is_led:
            return self.mean_of_batch(losses, counts, list(self.parts().values()))
        if self._window is None:
            self._window = Window(list(self.parts().values()))
        whole = self.trainer.world_size if self.trainer.accumulate_grad_batches == 1 else 0
        total = self._window.add(losses, counts, self._learning(), whole=whole, reduce=self._sum_over_processes)
        weights = self.parts().values()
        mean = sum(w * s.detach() / n.clamp(min=1e-12) for w, s, n in zip(weights, losses, counts, strict=True))
        return total + (mean - total).detach()

    def _learning(self) -> list[nn.Parameter]:
        groups = [group for optimizer in self.trainer.optimizers for group in optimizer.param_groups]
        return [parameter for group in groups for parameter in group["params"] if parameter.requires_grad]

    def _sum_over_processes(self, tensor: Tensor) -> Tensor:
        return self.trainer.strategy.reduce(tensor, reduce_op="sum") if self.trainer.world_size > 1 else tensor

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Make the gradient the mean over all targets of the accumulation window and of all processes.

        Lightning divides by the number of micro-batches and averages over processes: both are undone. Averaging means
        of unequal micro-batches would weight a target by the size of the batch it happened to be in.
        """
        if self._window is None:
            return
        lightning = self.trainer.accumulate_grad_batches * self.trainer.world_size
        losses, counts = self._window.close(self._learning(), lightning, self._sum_over_processes).unbind(1)
        self._window = None
        means = losses.detach() / counts.clamp(min=1e-12)
        parts = [weight * mean for weight, mean in zip(self.parts().values(), means.unbind(), strict=True)]
        self.last_loss = torch.stack(parts).sum().float()
        # Not for the bar, which has it from here: Lightning would wait for the device to read it, several times a step.
        self.log("train/loss", self.last_loss)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip, and leave the step out if its loss or gradient is not finite."""
        clip_or_leave_out(self, optimizer, gradient_clip_val, gradient_clip_algorithm)

    # ------------------------------------------------------------------ optimizer and schedule

    def configure_optimizers(self) -> Any:
        """Return the optimizer over parameter groups, with a schedule per optimizer step.

        Raises:
            InputError: in a loop of one's own, which has no length that the schedule could follow.
        """
        if not self.has_trainer:
            raise InputError(
                "The schedule follows the length of a Trainer's run, and there is no Trainer here: in a loop of your "
                "own take an optimizer over module.parameter_groups(), such as torch.optim.AdamW, and a schedule "
                "beside it."
            )
        if self.l2_sp and self._start is None:
            self._start = {name: weight.detach().clone() for name, weight in self.pretrained().items()}
        start = weights_at_start(self, self._start or {}) if self.l2_sp else {}
        optimizer = make_optimizer(
            self.optimizer_name, self.parameter_groups(set(start)), self.betas, self.trainer.precision
        )
        self.group_options = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
        if start:
            DecayToStart(self.l2_sp, start).attach(optimizer)
        self.clock.read(self.trainer)
        try:
            self.total_steps = self.trainer.estimated_stepping_batches
            scheduler = GrowingSchedule(optimizer, rate_factor(self))
        except ValueError as error:
            raise InputError(str(error)) from error
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def parameter_groups(self, anchored: set[nn.Parameter] | None = None) -> list[dict[str, Any]]:
        """Return the learning parameters by depth, and by whether they decay: not biases and norms.

        Args:
            anchored: those that decay towards where they started instead.
        """
        return parameter_groups(self.networks(), self.learning_rate, self.weight_decay, self.layer_decay, anchored)

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Step the schedule, by the time that it is now."""
        self.clock.read(self.trainer)
        super().lr_scheduler_step(scheduler, metric)

    def progress(self) -> float:
        """Return the share of the training that is done, in steps or in time; 0 where a trainer knows of no end.

        Raises:
            InputError: in a loop of one's own, of which nobody knows it.
        """
        if not self.has_trainer:
            raise InputError(
                "Without a Trainer nothing says when training ends, which model.final_mask_probability goes by: leave "
                "it out, and set module.mask_probability as you go."
            )
        own = math.isfinite(self.total_steps)  # or an optimizer of somebody else's
        steps = self.total_steps if own else self.trainer.estimated_stepping_batches
        done = self.global_step / steps if steps else 1.0
        return min(1.0, max(done, self.clock.spent))

    # ------------------------------------------------------------------ the course of a training

    def configure_callbacks(self) -> list[Callback]:
        """Return what goes back to good weights, where `max_rollbacks` asks for it and the trainer has none."""
        from ..callbacks.rollback import Rollback  # callbacks know modules

        asked = self.max_rollbacks and not any(isinstance(c, Rollback) for c in self.trainer.callbacks)  # type: ignore[attr-defined]
        return [Rollback(self.max_rollbacks)] if asked else []

    def on_train_start(self) -> None:
        """Go on with an interrupted run as asked for now; freeze what is to learn later."""
        resume_as_asked(self)
        warn_of_resumed_averages(self)
        if self.gradual_unfreezing:
            refuse_unfreezing(self)
            self._unfreezing = GradualUnfreezing(self.networks(), self.gradual_unfreezing, self.total_steps)

    def on_fit_start(self) -> None:
        """Take the seed that everything random in training is derived from."""
        if not self._seeded:  # by an earlier fit, or by the checkpoint that this one goes on from
            self._seeded = True
            self._seed = self.trainer.strategy.broadcast(torch.initial_seed() % (1 << 31))
        self._window = None
        if self.trainer.ckpt_path is None:
            self.guard, self.resumed = NumericGuard(self.max_skips), None

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Let the layers learn whose time has come, and seed what is random in the step."""
        if self._unfreezing is not None:
            self._unfreezing.at(self.global_step)
        seed_step(self, self._seed)

    def on_train_end(self) -> None:
        """Leave nothing frozen that was not before, and no weight that is no number."""
        if self._unfreezing is not None:
            self._unfreezing.end()
            self._unfreezing = None
        check_trained(self)

    # ------------------------------------------------------------------ saving and loading

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what training needs to go on."""
        if "optimizer_states" in checkpoint:
            checkpoint[LEFT_OUT], checkpoint[SPIKES] = self.guard.state(), self.guard.spikes_state()
            checkpoint[TRAINED_WITH] = trained_with(self.trainer)
        if "optimizer_states" not in checkpoint:  # weights alone, of which Lightning's callbacks are not told
            checkpoint["state_dict"] |= averaged_weights(self, checkpoint["state_dict"])
        elif self._start:
            checkpoint[START] = self._start

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take what training needs to go on."""
        self._start = checkpoint.get(START)
        self.guard.restore(checkpoint.get(LEFT_OUT, [0, 0, 0, 0]), checkpoint.get(SPIKES, {}))
        if self._trainer is not None and self.trainer.state.fn == "fit" and "optimizer_states" in checkpoint:
            self.changes = differences(checkpoint.get("hyper_parameters", {}), self.hparams, "model.")
            refuse_fixed(self.changes)
            self.trained_before = checkpoint.get(TRAINED_WITH, {})
