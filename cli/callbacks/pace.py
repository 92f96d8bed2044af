"""How long training lasts and how often it is validated, where nobody said."""

from __future__ import annotations

import math
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from typing_extensions import override

from ...contracts import module_facts
from ...errors import InputError, check_range
from ...modules.shortcuts.lightning_state import count_steps_from
from .stopping import timed_out


class Pace(Callback):
    """Sets the trainer's epochs and its interval of validation once the size of the data is known.

    Few labeled examples want more epochs than many: three passes over a hundred rows are a dozen steps, and what
    passes for the instability of fine-tuning is often training that ended too soon (arXiv 2006.05987, 2006.04884).
    Long epochs want validations within them, or early stopping comes too late. A large validation set wants few of
    them: its time is told from the numbers of batches, so that the same run is always validated at the same steps.
    Whatever ends the training, the last step is validated.

    Args:
        epochs: passes over the data; null leaves the trainer's own.
        min_steps: as many epochs more as make at least so many optimizer steps; only with `epochs`.
        validate_every: the most optimizer steps between two validations; null leaves the trainer's own interval.
        validation_share: of the run's time, the most that validating may take; null sets no limit.

    Raises:
        InputError: if one of them is out of its range.
    """

    FEWEST = 20
    """Validations of a run, at the least, where their time permits it."""

    def __init__(
        self,
        epochs: int | None = None,
        min_steps: int | None = None,
        validate_every: int | None = None,
        validation_share: float | None = None,
    ) -> None:
        for name, value, least in (
            ("epochs", epochs, 1),
            ("min_steps", min_steps, 0),
            ("validate_every", validate_every, 1),
        ):
            check_range(f"pace.{name}", value, least=least)
        check_range("pace.validation_share", validation_share, above=0, below=1)
        self.epochs = epochs
        self.min_steps = min_steps
        self.validate_every = validate_every
        self.validation_share = validation_share
        self._every = 1

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        batches = self._batches(trainer, "train") if stage == "fit" and not trainer.fast_dev_run else 0  # type: ignore[attr-defined]
        if not batches:
            return
        steps = -(-batches // trainer.accumulate_grad_batches)
        validated = self._batches(trainer, "val") if self.validation_share is not None else 0
        share = self.validation_share or 0.5
        cost = validated * module_facts(pl_module).validation_cost  # of a validation, in batches of training
        between = cost * (1 - share) / share  # batches of training that pay for one
        if self.epochs is not None:
            self._set_epochs(trainer, self.epochs, steps, batches, between)
        interval = self._interval(trainer, self._in_all(trainer, batches), between)
        if self.validate_every is not None and trainer.check_val_every_n_epoch == 1 and interval > batches:
            trainer.check_val_every_n_epoch = math.ceil(interval / batches)
        if self.validate_every is not None and trainer.check_val_every_n_epoch == 1:
            times = min(-(-steps // self.validate_every), max(1, int(batches / interval) if interval else batches))
            if times > 1:
                trainer.val_check_interval = batches // times
                rank_zero_info(f"An epoch has {steps:,} steps: {times} validations in each (pace.validate_every).")
        self._reach_across(trainer, batches)
        if validated:
            self._limit_first(trainer, batches, validated, between)

    def _interval(self, trainer: Trainer, total: float, between: float) -> float:
        """Return the fewest batches of training from one validation to the next.

        Args:
            trainer: which may validate all before training, too.
            total: batches of the whole training.
            between: that pay for a validation.
        """
        if not between or math.isinf(total):
            return between
        passes = int(total / between) - (trainer.num_sanity_val_steps == math.inf)
        return max(between, total / max(1, passes))

    def _set_epochs(self, trainer: Trainer, least: int, steps: int, batches: int, between: float) -> None:
        epochs = max(least, -(-(self.min_steps or 0) // steps))
        if self.validate_every is not None and trainer.check_val_every_n_epoch == 1:
            every = 1
            if epochs // self.FEWEST > 1:
                every = min(epochs // self.FEWEST, -(-self.validate_every // steps))
            paid = math.ceil(self._interval(trainer, epochs * batches, between) / batches)
            trainer.check_val_every_n_epoch = every = min(epochs, max(every, paid))
            epochs = -(-epochs // every) * every if every * self.FEWEST <= epochs else epochs
        if epochs > least:
            rank_zero_info(
                f"An epoch has {steps} steps: {epochs} epochs instead of {least}, so that there are "
                f"{self.min_steps} steps (pace.min_steps; trainer.max_epochs sets the epochs)."
            )
        trainer.fit_loop.max_epochs = epochs

    def _reach_across(self, trainer: Trainer, batches: int) -> None:
        """Take an interval that is longer than an epoch as one across epochs."""
        interval = trainer.val_check_interval
        if not isinstance(interval, int) or interval <= batches or trainer.check_val_every_n_epoch is None:
            return
        if trainer.check_val_every_n_epoch > 1:
            raise InputError(
                f"trainer.val_check_interval is {interval}, and an epoch has {batches} batches: either leave "
                "trainer.check_val_every_n_epoch out, which counts epochs, or set it to null."
            )
        rank_zero_info(
            f"An epoch has {batches} batches: validation takes place every {interval} of them, across epochs."
        )
        trainer.check_val_every_n_epoch = None

    def _limit_first(self, trainer: Trainer, batches: int, validated: int, between: float) -> None:
        """Let the pass before training see a part of a set that is large beside the training; say what there is."""
        total = self._in_all(trainer, batches)
        affordable = total / between if between else math.inf  # validations
        if trainer.num_sanity_val_steps == math.inf and affordable < 2:
            trainer.num_sanity_val_steps = max(1, int(validated * max(0.0, affordable - 1)))
            rank_zero_info(
                f"Before training {trainer.num_sanity_val_steps:,} of {validated:,} validation batches are looked at "
                "(pace.validation_share)."
            )
        if affordable < 1:
            share = 1 / (1 + (total / between) * (1 - self.validation_share) / self.validation_share)  # type: ignore[operator]
            rank_zero_info(
                f"Validation has {validated:,} batches, the whole training {total:,.0f}: validating once, at the end, "
                f"takes about {share:.0%} of the time; trainer.limit_val_batches takes a part."
            )
        elif trainer.check_val_every_n_epoch not in (None, 1):
            rank_zero_info(
                f"Validation takes place every {trainer.check_val_every_n_epoch} epochs and at the end: it has "
                f"{validated:,} batches, an epoch of training {batches:,} (pace.validation_share)."
            )

    def _in_all(self, trainer: Trainer, batches: int) -> float:
        """Return the batches of the whole training, as far as anything says when it ends."""
        epochs = trainer.max_epochs
        by_epochs = math.inf if epochs in (None, -1) else epochs * batches
        steps = trainer.max_steps
        return min(by_epochs, math.inf if steps == -1 else steps * trainer.accumulate_grad_batches)

    def _batches(self, trainer: Trainer, split: Literal["train", "val"]) -> int:
        """Return the batches of a pass; 0 where nothing tells."""
        data: Any = getattr(trainer, "datamodule", None)
        try:
            batches = len(data.train_dataloader() if split == "train" else data.val_dataloader())
        except (TypeError, AttributeError, NotImplementedError):
            return 0
        limit = trainer.limit_train_batches if split == "train" else trainer.limit_val_batches
        return min(batches, limit) if isinstance(limit, int) else int(batches * limit)

    # ------------------------------------------------------------------ the last step

    @override
    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        count_steps_from(trainer, trainer.global_step)

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Have the last step validated, whatever the interval; before checkpoints are taken, which wait for it."""
        epochs = trainer.max_epochs
        last_epoch = epochs not in (None, -1) and trainer.current_epoch + 1 >= epochs
        ends = (trainer.is_last_batch and last_epoch) or trainer.global_step == trainer.max_steps
        if ends or (trainer.should_stop and timed_out(trainer)):
            trainer.should_stop = True  # Lightning then validates, if this epoch is one to be validated
            if trainer.check_val_every_n_epoch is not None:
                self._every, trainer.check_val_every_n_epoch = trainer.check_val_every_n_epoch, 1

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.check_val_every_n_epoch is not None:
            trainer.check_val_every_n_epoch = max(trainer.check_val_every_n_epoch, self._every)
