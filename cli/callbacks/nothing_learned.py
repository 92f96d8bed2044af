"""Whether training has come to anything: the best validation beside that before training, and beside a guess."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from ...contracts import module_facts

CLOSE = 1e-6
"""Scores that are no further apart are the same."""


def nothing_learned(trainer: Trainer, pl_module: Any, before: Mapping[str, float]) -> str:
    """One sentence where no validation was better than that before training, or than always saying one label.

    Args:
        trainer: at its end.
        pl_module: what was trained.
        before: the scores of the whole validation set before training, as far as they were measured.

    Returns:
        The sentence; empty where something was learned, or nobody can tell.
    """
    best = trainer.checkpoint_callback
    if not isinstance(best, ModelCheckpoint) or best.monitor is None or best.best_model_score is None:
        return ""
    name, score = best.monitor, float(best.best_model_score)
    sign = 1 if best.mode == "max" else -1
    whole = not isinstance(trainer.limit_val_batches, int) and trainer.limit_val_batches == 1  # as an int: one batch
    guess: Mapping[str, float] = module_facts(pl_module).guess() if whole else {}
    others = {
        "what it was before training": before.get(name),
        "what always saying the most frequent label scores": guess.get(name.removeprefix("val/")),
    }
    failed = [
        f"{what} ({value:.4f})"
        for what, value in others.items()
        if value is not None and sign * (score - value) <= CLOSE
    ]
    if not failed:
        return ""
    return (
        f"Validation shows nothing that was learned: the best {name}, {score:.4f}, is no better than "
        f"{' and '.join(failed)}."
    )
