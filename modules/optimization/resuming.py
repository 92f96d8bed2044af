"""Going on with a run under other options: what has a meaning is applied, the rest refused, and all of it said."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_info

from ...contracts import loader_facts
from ...errors import InputError
from ..shortcuts.optimizer_state import tell_rate
from .rate import rate_factor

if TYPE_CHECKING:
    from .module import OptimizedModule

FIXED = {
    "optimizer": "its state in the checkpoint is the other one's",
    "generator": "the checkpoint holds the other one's weights",
    "share_embeddings": "the checkpoint holds the other network's weights",
}
"""Options that a resumed run cannot change, and why."""
FREE_IN_BACKBONE = {"attention", "gradient_checkpointing", "compile", "dropout", "merge_adapters", "trust_remote_code"}
SWITCHES = {"layer_decay": 1.0, "l2_sp": 0.0}
"""Options that may change, but for being switched on or off: by the value that is off."""
TRAINER = ("accumulate_grad_batches", "max_steps", "max_epochs", "gradient_clip_val", "precision", "world_size")
"""Options of the trainer that a checkpoint remembers."""

Changes = dict[str, list[Any]]
"""Options by name, each with what it was and what it is."""


def trained_with(trainer: Trainer) -> dict[str, Any]:
    """Return the options of trainer and loader that shape a training; plain data, for a checkpoint."""
    options = {f"trainer.{name}": getattr(trainer, name) for name in TRAINER}
    plan = loader_facts(trainer.train_dataloader).plan
    if plan is not None:  # of a loader of this suite
        own = plan.own
        options |= {"data.batch_size": own.batch_size, "data.tokens_per_batch": own.tokens, "data.seed": own.seed}
    return options


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str) -> Changes:
    """Return the options that both know, and that differ."""
    pairs = {name: [_plain(old[name]), _plain(new[name])] for name in old if name in new and not name.startswith("_")}
    return {f"{prefix}{name}": pair for name, pair in pairs.items() if pair[0] != pair[1]}


def refuse_fixed(changes: Changes) -> None:
    """Raise an `InputError` if options of a module differ that a resumed run cannot change."""
    for name, (old, new) in changes.items():
        option = name.removeprefix("model.")
        why = FIXED.get(option)
        if option in SWITCHES and SWITCHES[option] in (old, new):
            why = "it changes which weights are updated together, or needs those at the start: it cannot be switched"
        if option == "backbone" and isinstance(old, dict) and isinstance(new, dict):
            fields = [k for k in new if k in old and old[k] != new[k] and k not in FREE_IN_BACKBONE]
            if not fields:
                continue
            why = "the checkpoint holds the other network's weights"
            name, old, new = f"model.backbone.{fields[0]}", old[fields[0]], new[fields[0]]
        if why is not None:
            raise InputError(
                f"{name} is {new!r}, but the run that is resumed was trained with {old!r}, and {why}. Leave it as it "
                "was, or start a new run from its weights (model.backbone: the run's folder)."
            )


def refuse_shorter(asked: Any, checkpoint: Mapping[str, Any], name: str) -> None:
    """Raise an `InputError` if a run is to end before what it has trained already: its options would not repeat it.

    Args:
        asked: the options of the trainer, as the user has them: an end that is left open is set later.
        checkpoint: that it goes on from.
        name: of the checkpoint, for the message.
    """
    epochs = checkpoint.get("loops", {}).get("fit_loop", {}).get("epoch_progress", {}).get("current", {})
    for option, limit, done in (
        ("max_steps", asked.max_steps, int(checkpoint.get("global_step", 0))),
        ("max_epochs", asked.max_epochs, int(epochs.get("ready", 0))),  # those that have begun
    ):
        if limit is not None and 0 <= limit < done:
            what = "steps" if option == "max_steps" else "epochs, or a part of the last one,"
            raise InputError(
                f"trainer.{option} is {limit:,}, but the run that is resumed has trained {done:,} {what} already "
                f"({name}): {done:,} or more would go on with it; without --ckpt_path, a new run begins."
            )


def apply_options(
    optimizer: torch.optim.Optimizer,
    scheduler: Any,
    groups: Sequence[Mapping[str, Any]],
    factor: Callable[[int], float],
    follows_clock: bool,
) -> None:
    """Give a restored optimizer and schedule the options that are asked for now; the same ones change no bit.

    Args:
        optimizer: as the checkpoint has it.
        scheduler: its schedule.
        groups: the options of its parameter groups, as made.
        factor: the schedule, as a function of the step.
        follows_clock: whether the schedule follows the time: the rate of the step to come is then left as it is, unless
            the peak is another.
    """
    for place, (group, asked) in enumerate(zip(optimizer.param_groups, groups, strict=True)):
        other = group.get("initial_lr", group["lr"]) != asked["lr"]
        group.update({name: value for name, value in asked.items() if name not in ("params", "lr")})
        group["initial_lr"] = scheduler.base_lrs[place] = asked["lr"]
        scheduler.lr_lambdas[place] = factor
        if other or not follows_clock:
            group["lr"] = asked["lr"] * factor(scheduler.last_epoch)
            tell_rate(scheduler, place, group["lr"])


def go_on_within_epoch(trainer: Trainer) -> bool:
    """Count what was handed out of an interrupted epoch in batches as they are now, if those are other ones.

    Returns:
        Whether they are.

    Raises:
        InputError: if only a part of each epoch is trained on.
    """
    done = loader_facts(trainer.train_dataloader).resumed_at
    if done is None:
        return False
    whole = len(trainer.train_dataloader)  # type: ignore[arg-type]
    if trainer.num_training_batches != whole:
        raise InputError(
            "trainer.limit_train_batches cuts epochs short, and the batches are of another size than those of the run "
            "that is resumed: leave data.batch_size (or the number of processes) as it was, or lift the limit."
        )
    progress = trainer.fit_loop.epoch_loop.batch_progress.current
    shift = done - progress.ready
    for count in ("ready", "started", "processed", "completed"):
        setattr(progress, count, getattr(progress, count) + shift)
    return True


def steps_in_all(trainer: Trainer) -> float:
    """Return the optimizer steps of a resumed run that had other batches: those done, and those to come."""
    window, batches = trainer.accumulate_grad_batches, trainer.num_training_batches
    to_come = math.inf
    if trainer.max_epochs not in (None, -1) and math.isfinite(batches):
        done = trainer.fit_loop.epoch_loop.batch_progress.current.ready
        of_epoch = math.ceil(batches / window)
        left = of_epoch - done // window if done < batches else of_epoch
        to_come = left + (trainer.max_epochs - trainer.current_epoch - 1) * of_epoch
    total = trainer.global_step + max(0, to_come)
    return total if trainer.max_steps == -1 else min(total, trainer.max_steps)


def tell(step: int, changes: Changes) -> str:
    """Return what a resumed run says of its options; empty where none is another."""
    shown = [f"{name} {new} (was {old})" for name, (old, new) in changes.items()]
    return f"Going on from step {step:,} with {', '.join(shown)}." if shown else ""


def resume_as_asked(module: OptimizedModule) -> None:
    """Apply what is asked for now where the checkpoint that is resumed had something else, and say so.

    Args:
        module: whose trainer has restored it, and is about to train.
    """
    if module.trained_before is None:
        return
    trainer = module.trainer
    changes = module.changes | differences(module.trained_before, trained_with(trainer), "")
    module.trained_before = None
    has_other_batches = go_on_within_epoch(trainer)
    schedulers = module.lr_schedulers()
    if module.group_options and isinstance(schedulers, torch.optim.lr_scheduler.LambdaLR):
        if has_other_batches or "trainer.accumulate_grad_batches" in changes:
            module.total_steps = steps_in_all(trainer)
        ready = trainer.fit_loop.epoch_loop.batch_progress.current.ready
        module.batches_ahead = ready - module.global_step * trainer.accumulate_grad_batches
        follows_clock = module.clock.share(trainer) is not None
        apply_options(schedulers.optimizer, schedulers, module.group_options, rate_factor(module), follows_clock)
    module.resumed = {"step": module.global_step, "changed": changes}
    if sentence := tell(module.global_step, changes):
        rank_zero_info(sentence)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
