"""Values of options that can come to nothing, refused before anything is made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import InputError, check_range
from ..parser import as_plain

SEEDS = 2**32 - 1
LOWEST: dict[str, int] = {
    "trainer.accumulate_grad_batches": 1,
    "trainer.check_val_every_n_epoch": 1,
    "trainer.num_nodes": 1,
    "trainer.log_every_n_steps": 0,
    "trainer.reload_dataloaders_every_n_epochs": 0,
    "trainer.num_sanity_val_steps": -1,
    "trainer.max_epochs": -1,
    "trainer.max_steps": -1,
    "trainer.min_epochs": 0,
    "trainer.min_steps": 0,
    "trainer.gradient_clip_val": 0,
    "trainer.limit_train_batches": 0,
    "trainer.limit_val_batches": 0,
    "trainer.limit_test_batches": 0,
    "trainer.limit_predict_batches": 0,
    "trainer.overfit_batches": 0,
    "checkpoint.every_n_steps": 1,
    "data.seed": 0,
    "seed_everything": 0,
}
ABOVE_ZERO = ("trainer.val_check_interval", "checkpoint.every_n_minutes")
UNTRAINED = ("trainer.max_epochs", "trainer.max_steps", "trainer.limit_train_batches")
"""What must not be 0 in a `fit`: nothing would be trained, and the weights kept and exported as if they were."""
FREE = ("trainer.callbacks", "trainer.logger", "trainer.profiler", "trainer.plugins", "trainer.strategy")
"""Whose options are those of somebody else's class."""


def check_values(verb: str | None, config: Any) -> None:
    """Refuse numbers that are none, below the least that means something, or that leave nothing to train.

    Args:
        verb: of Lightning's, which the configuration is for.
        config: as it was parsed.

    Raises:
        InputError: with the option and what would work.
    """
    values = list(flat(as_plain(config)))
    for key, value in values:
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{key} is {value}; it must be finite.")
    numbers: dict[str, float] = {key: value for key, value in values if type(value) in (int, float)}
    for key, lowest in LOWEST.items():
        check_range(key, numbers.get(key), least=lowest)
    for key in ABOVE_ZERO:
        check_range(key, numbers.get(key), above=0)
    check_range("seed_everything", numbers.get("seed_everything"), most=SEEDS)
    if verb == "fit":
        _check_order(numbers)
    for key in UNTRAINED if verb == "fit" else ():
        if numbers.get(key) == 0:
            raise InputError(
                f"{key} is 0: nothing would be trained, and untrained weights would be kept and exported. At least 1 "
                "would work; `validate --untrained true` scores without training."
            )


def _check_order(numbers: Mapping[str, float]) -> None:
    """Refuse a least of steps or epochs above the most, which would not be reached."""
    ends = [key for key in ("trainer.max_steps", "trainer.max_epochs") if numbers.get(key, -1) != -1]
    for unit in ("epochs", "steps"):
        least, most = f"trainer.min_{unit}", f"trainer.max_{unit}"
        if unit == "epochs" and not ends and "pace.epochs" in numbers:
            most = "pace.epochs"
        if -1 < numbers.get(most, -1) < numbers.get(least, 0):
            raise InputError(
                f"{least} is {numbers[least]}, above {most}, {numbers[most]}, where training ends: "
                f"trainer.max_{unit} {numbers[least]} or more would work."
            )


def flat(config: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value of options that are ours or the trainer's, by its full key."""
    if key in FREE:
        return
    if isinstance(config, dict):
        kind = config.get("class_path")
        if kind is not None and not str(kind).startswith("pretune."):
            return
        for name, value in config.items():
            yield from flat(value, key if name == "init_args" else f"{key}.{name}".strip("."))
    elif isinstance(config, list | tuple):
        for entry in config:
            yield from flat(entry, key)
    else:
        yield key, config
