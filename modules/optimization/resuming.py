"""Going on with a run under other options: what has a meaning is applied, the rest refused, and all of it said."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from lightning.pytorch import Trainer

from ...contracts import loader_facts
from ...errors import InputError

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
    """The trainer's options that shape a training; plain data, for a checkpoint."""
    return {f"trainer.{name}": getattr(trainer, name) for name in TRAINER}


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str) -> Changes:
    """The options that both know, and that differ."""
    pairs = {name: [_plain(old[name]), _plain(new[name])] for name in old if name in new and not name.startswith("_")}
    return {f"{prefix}{name}": pair for name, pair in pairs.items() if pair[0] != pair[1]}


def refuse_fixed(changes: Changes) -> None:
    """Raises an `InputError` if options of a module differ that a resumed run cannot change."""
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
    """Raises an `InputError` if a run is to end before what it has trained already: its options would not repeat it.

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
    """Gives a restored optimizer and schedule the options that are asked for now; the same ones change no bit.

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
            scheduler._last_lr[place] = group["lr"]


def go_on_within_epoch(trainer: Trainer) -> bool:
    """Counts what was handed out of an interrupted epoch in batches as they are now, if those are other ones.

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
    """The optimizer steps of a resumed run whose earlier part had other batches: those done, and those to come."""
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
    """What a resumed run says of its options; empty where none is another."""
    shown = [f"{name} {new} (was {old})" for name, (old, new) in changes.items()]
    return f"Going on from step {step:,} with {', '.join(shown)}." if shown else ""


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
