"""How a module learns: optimizer, schedule, gradient per target, and what keeps pretrained weights from drifting."""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch.callbacks import StochasticWeightAveraging, Timer, WeightAveraging
from lightning.pytorch.strategies import DeepSpeedStrategy, FSDPStrategy
from lightning.pytorch.trainer.states import RunningStage
from lightning.pytorch.utilities.rank_zero import rank_zero_info, rank_zero_warn
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from ...contracts import loader_facts
from ...errors import InputError
from ..hosted import HostedModule
from ..refusals import no_start, refuse_unfreezing
from .guard import READ_EVERY, NumericGuard, all_finite, leave_out
from .l2_sp import DecayToStart
from .optimizers import OptimizerName, make_optimizer, parameter_groups
from .resuming import (
    Changes,
    apply_options,
    differences,
    go_on_within_epoch,
    refuse_fixed,
    steps_in_all,
    tell,
    trained_with,
)
from .schedules import GrowingSchedule, ScheduleName, schedule
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
        for name, value, fine, range_ in (
            ("learning_rate", learning_rate, learning_rate > 0, "above 0"),
            ("weight_decay", weight_decay, weight_decay >= 0, "at least 0"),
            ("warmup", warmup, warmup >= 0, "at least 0"),
            ("layer_decay", layer_decay, 0 < layer_decay <= 1, "above 0 and at most 1"),
            ("betas", betas, all(0 <= beta < 1 for beta in betas), "at least 0 and below 1"),
            ("l2_sp", l2_sp, l2_sp >= 0, "at least 0"),
            ("gradual_unfreezing", gradual_unfreezing, gradual_unfreezing >= 0, "at least 0"),
            ("max_skips", max_skips, max_skips >= 0, "at least 0"),
            ("max_rollbacks", max_rollbacks, max_rollbacks >= 0, "at least 0"),
        ):
            if not fine:
                raise InputError(f"model.{name} is {value}; it must be {range_}.")
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
        self._taken: deque[tuple[int, int, int]] = deque(maxlen=4 * READ_EVERY + max_skips)
        """Of the latest steps: number, epoch, and the batch that they ended with."""
        self._window: Window | None = None
        self.last_loss: Tensor | None = None  # of the step just taken, over all processes, on its device
        self._steps: float = float("inf")
        self._spent = 0.0  # of trainer.max_time, as a share, when the schedule last stepped
        self._start: dict[str, Tensor] | None = None
        self._groups: list[dict[str, Any]] = []
        """The options of the optimizer's groups, as asked for."""
        self._before: dict[str, Any] | None = None
        """What the trainer's options were when the checkpoint that is resumed was taken."""
        self.resumed: dict[str, Any] | None = None
        """Where this run was resumed, and what changed: `step` and `changed`; what its summary says."""
        self._changes: Changes = {}
        self._unfreezing: GradualUnfreezing | None = None

    # ------------------------------------------------------------------ hooks for subclasses

    def networks(self) -> list[nn.Module]:
        """Everything that learns."""
        raise TypeError(f"{type(self).__name__} must say what learns: define `networks`.")

    def parts(self) -> dict[str, float]:
        """The weights of the losses whose sum is the loss, by name; one nameless part unless a subclass says more."""
        return {"": 1.0}

    def pretrained(self) -> dict[str, nn.Parameter]:
        """The learning parameters whose weights were loaded, by name."""
        return {}

    # ------------------------------------------------------------------ the gradient of a window

    def add_to_window(self, losses: list[Tensor], counts: list[Tensor]) -> Tensor:
        """Adds the sums over targets of a micro-batch, one for each part.

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
        """Makes the gradient the mean over all targets of the accumulation window and of all processes.

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

    # ------------------------------------------------------------------ numbers that are none

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clips, and leaves the step out if its loss or gradient is not finite; one norm serves both."""
        loss = self.last_loss
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        by_norm = str(gradient_clip_algorithm or "norm").rpartition(".")[2].lower() == "norm"
        if isinstance(self.trainer.strategy, DeepSpeedStrategy | FSDPStrategy) or not parameters:  # they have their own
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
            norm, divided = torch.zeros((), device=self.device), True
        else:
            norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
            divided = isinstance(norm, DTensor)
            if gradient_clip_val and by_norm:
                torch.nn.utils.clip_grads_with_norm_(parameters, float(gradient_clip_val), norm)
            elif gradient_clip_val:
                self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        if loss is None:
            return
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)  # of fp16: it leaves out steps of its own
        whole = norm.full_tensor() if isinstance(norm, DTensor) else norm
        step = self.global_step + 1
        self._taken.append((step, self.current_epoch, self.trainer.fit_loop.batch_idx))
        bad = self.guard.look(step, loss, torch.zeros_like(loss) if scaler is not None else whole.to(loss.device))
        if scaler is None:
            leave_out(optimizer, bad, divided)
        self.guard.read()
        if self.guard.broken:
            self._break_off()

    def _break_off(self) -> None:
        first = self.guard.first
        since = next(((epoch, batch) for step, epoch, batch in self._taken if step == first), None)
        place = f"step {first:,}" + (f" (epoch {since[0]}, {self._rows(*since)})" if since is not None else "")
        raise InputError(
            f"Loss or gradient was not a finite number in {self.guard.most} steps in a row (model.max_skips), from "
            f"{place} on: the run was stopped. {self._likely_cause()}"
        )

    def _rows(self, epoch: int, batch: int) -> str:
        """Which batch, and which examples it held, where the loader can tell."""
        plan = loader_facts(self.trainer.train_dataloader).plan
        if plan is None:
            return f"batch {batch}"
        rows = plan.examples(epoch, batch)
        more = f" and {len(rows) - 16} more" if len(rows) > 16 else ""
        return f"batch {batch}: training examples {', '.join(map(str, rows[:16]))}{more}, counted from 0"

    def _likely_cause(self) -> str:
        precision = str(self.trainer.precision)
        if precision in ("16-true", "16-mixed"):
            return f"trainer.precision is {precision}, which ends at 65,504: bf16-mixed or 32-true would work."
        if not all_finite(self.networks()):
            return "The weights are no numbers any more: go on from an earlier checkpoint, with a lower learning_rate."
        if self.guard.left_out >= self.global_step:
            return (
                "It was so from the first step on: look at these examples, and at the weights that it started from "
                f"(a learning_rate of {self.learning_rate:g} plays no part yet)."
            )
        return (
            f"The learning rate ({self.learning_rate:g}) is likely too high: try a tenth of it, more warmup, or a "
            "lower trainer.gradient_clip_val; else look at these examples."
        )

    def _check_end(self) -> None:
        """Says how many steps were left out, and raises where nothing was learned or the weights are no numbers."""
        self.guard.read(now=True)
        if self.guard.broken:
            self._break_off()
        left_out, steps = self.guard.left_out, self.global_step
        if self.max_skips and not all_finite(self.networks()):
            raise InputError(f"The weights are not finite numbers after {steps:,} steps. {self._likely_cause()}")
        if self.max_skips and left_out and left_out >= steps:
            raise InputError(
                f"Nothing was learned: loss or gradient was not a finite number in any of {steps:,} steps. "
                f"{self._likely_cause()}"
            )
        if left_out:
            rank_zero_warn(
                f"Loss or gradient was not a finite number in {left_out:,} of {steps:,} steps, which were left out; "
                f"the last time from step {self.guard.first:,} on."
            )
        if sentence := self.guard.spikes.sentence():
            rank_zero_warn(sentence)

    # ------------------------------------------------------------------ optimizer and schedule

    def configure_optimizers(self) -> Any:
        """AdamW or SGD over parameter groups, with a schedule per optimizer step.

        Raises:
            InputError: in a loop of one's own, which has no length that the schedule could follow.
        """
        if not self.has_trainer:
            raise InputError(
                "The schedule follows the length of a Trainer's run, and there is no Trainer here: in a loop of your "
                "own take an optimizer over module.parameter_groups(), such as torch.optim.AdamW, and a schedule "
                "beside it."
            )
        start = self._weights_at_start() if self.l2_sp else {}
        optimizer = make_optimizer(
            self.optimizer_name, self.parameter_groups(set(start)), self.betas, self.trainer.precision
        )
        self._groups = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
        if start:
            DecayToStart(self.l2_sp, start).attach(optimizer)
        self._read_clock()
        try:
            self._steps = self.trainer.estimated_stepping_batches
            factor = schedule(self.schedule, self._steps, self.warmup, clock=self._clock())
        except ValueError as error:
            raise InputError(str(error)) from error
        scheduler = GrowingSchedule(optimizer, factor)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def parameter_groups(self, anchored: set[nn.Parameter] | None = None) -> list[dict[str, Any]]:
        """Learning parameters by depth, and by whether they decay: not biases and norms.

        Args:
            anchored: those that decay towards where they started instead.
        """
        return parameter_groups(self.networks(), self.learning_rate, self.weight_decay, self.layer_decay, anchored)

    def _weights_at_start(self) -> dict[nn.Parameter, Tensor]:
        """The pretrained weights that decay is to lead back to, by parameter; an interrupted run brings its own."""
        learning = dict(self.named_parameters())
        if self._start is None:
            self._start = {name: weight.detach().clone() for name, weight in self.pretrained().items()}
        if not self._start:
            raise no_start()
        return {learning[name]: weight.to(self.device) for name, weight in self._start.items()}

    def _timer(self) -> Timer | None:
        """What keeps `trainer.max_time`, if there is such a limit."""
        timers = (c for c in self.trainer.callbacks if isinstance(c, Timer) and c._duration)  # type: ignore[attr-defined]
        return next(timers, None)

    def _clock(self) -> Callable[[], float] | None:
        """The share of `trainer.max_time` that is spent, if there is such a limit."""
        return (lambda: self._spent) if self._timer() is not None else None

    def _read_clock(self) -> None:
        """Takes down the time, in all processes that of the first: with clocks of their own, rates and weights part."""
        timer, self._spent = self._timer(), 0.0
        if timer is not None and timer._duration:
            spent = timer.time_elapsed(RunningStage.TRAINING) / timer._duration
            self._spent = min(1.0, self.trainer.strategy.broadcast(spent))

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Steps the schedule, by the time that it is now."""
        self._read_clock()
        super().lr_scheduler_step(scheduler, metric)

    def progress(self) -> float:
        """The share of the training that is done, in steps or in time; 0 where a trainer does not know when it ends.

        Raises:
            InputError: in a loop of one's own, of which nobody knows it.
        """
        if not self.has_trainer:
            raise InputError(
                "Without a Trainer nothing says when training ends, which model.final_mask_probability goes by: leave "
                "it out, and set module.mask_probability as you go."
            )
        steps = self._steps
        if math.isinf(steps):  # an optimizer of somebody else's
            steps = self.trainer.estimated_stepping_batches
        done = self.global_step / steps if steps else 1.0
        return min(1.0, max(done, self._spent))

    # ------------------------------------------------------------------ gradual unfreezing

    def _go_on(self) -> None:
        """Applies what is asked for now where a checkpoint had something else, and says so."""
        if self._before is None:
            return
        others = {**trained_with(self.trainer), **self._cut()}
        changes = self._changes | differences(self._before, others, "")
        self._before = None
        cut = go_on_within_epoch(self.trainer)
        schedulers = self.lr_schedulers()
        if self._groups and isinstance(schedulers, torch.optim.lr_scheduler.LambdaLR):
            if cut or "trainer.accumulate_grad_batches" in changes:
                self._steps = steps_in_all(self.trainer)
            clock = self._clock()
            factor = schedule(self.schedule, self._steps, self.warmup, clock=clock)
            apply_options(schedulers.optimizer, schedulers, self._groups, factor, clock is not None)
        self.resumed = {"step": self.global_step, "changed": changes}
        if sentence := tell(self.global_step, changes):
            rank_zero_info(sentence)

    def _cut(self) -> dict[str, Any]:
        """How a loader of this suite cuts batches; empty for others."""
        plan = loader_facts(self.trainer.train_dataloader).plan
        if plan is None:
            return {}
        own = plan.own
        return {"data.batch_size": own.batch_size, "data.tokens_per_batch": own.tokens, "data.seed": own.seed}

    def on_train_start(self) -> None:
        """Goes on with an interrupted run as asked for now; freezes what is to learn later."""
        self._go_on()
        swa = any(isinstance(c, StochasticWeightAveraging) for c in self.trainer.callbacks)  # type: ignore[attr-defined]
        if swa and self.global_step:
            rank_zero_warn(
                "Lightning's StochasticWeightAveraging does not go on where it was interrupted; EqualWeightAveraging "
                "does."
            )
        if not self.gradual_unfreezing:
            return
        refuse_unfreezing(self)
        if self.gradual_unfreezing < 1 and math.isinf(self._steps):
            raise InputError(
                f"model.gradual_unfreezing is a fraction of the run ({self.gradual_unfreezing}), and nothing says how "
                "long that is: set trainer.max_steps or trainer.max_epochs, or give a number of steps."
            )
        self._unfreezing = GradualUnfreezing(self.networks(), self.gradual_unfreezing, self._steps)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Lets the layers learn whose time has come."""
        if self._unfreezing is not None:
            self._unfreezing.at(self.global_step)

    def on_train_end(self) -> None:
        """Leaves nothing frozen that was not before, and no weight that is no number."""
        if self._unfreezing is not None:
            self._unfreezing.end()
            self._unfreezing = None
        self._check_end()

    # ------------------------------------------------------------------ averages of weights

    def give_to_averages(self) -> None:
        """Gives the network, now that it is built, to Lightning's SWA: it copied the module before there was any."""
        for callback in getattr(self._trainer, "callbacks", None) or []:
            if isinstance(callback, StochasticWeightAveraging) and callback._average_model is not None:
                callback._average_model = None  # a copy of this would hold the other
                callback._average_model = copy.deepcopy(self)

    # ------------------------------------------------------------------ saving and loading

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds what training needs to go on."""
        if "optimizer_states" in checkpoint:
            checkpoint[LEFT_OUT], checkpoint[SPIKES] = self.guard.state(), self.guard.spikes_state()
            checkpoint[TRAINED_WITH] = {**trained_with(self.trainer), **self._cut()}
        if "optimizer_states" not in checkpoint:  # weights alone, of which Lightning's callbacks are not told
            checkpoint["state_dict"] |= self._averaged(checkpoint["state_dict"])
        elif self._start:
            checkpoint[START] = self._start

    def _averaged(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The averaged weights in place of the latest: those that were validated, where a callback averages."""
        callbacks = getattr(self._trainer, "callbacks", None) or []
        models = [c._average_model for c in callbacks if isinstance(c, WeightAveraging)]
        names = {name for name, _ in self.named_parameters(remove_duplicate=False)} & state.keys()
        return {
            name: weight
            for model in models
            if model is not None
            for name, weight in model.module.state_dict().items()
            if name in names
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes what training needs to go on."""
        self._start = checkpoint.get(START)
        self.guard.restore(checkpoint.get(LEFT_OUT, [0, 0, 0, 0]), checkpoint.get(SPIKES, {}))
        if self._trainer is not None and self.trainer.state.fn == "fit" and "optimizer_states" in checkpoint:
            self._changes = differences(checkpoint.get("hyper_parameters", {}), self.hparams, "model.")
            refuse_fixed(self._changes)
            self._before = checkpoint.get(TRAINED_WITH, {})
