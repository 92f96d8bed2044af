"""Why training stopped."""

from __future__ import annotations

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Timer


def stopping_reason(trainer: Trainer) -> str:
    """One sentence, for the log, the summary and the picture of a run."""
    for callback in trainer.early_stopping_callbacks:
        if callback.stopping_reason_message and trainer.should_stop:
            return callback.stopping_reason_message
    if trainer.max_steps not in (-1, None) and trainer.global_step >= trainer.max_steps:
        return f"trainer.max_steps ({trainer.max_steps}) reached."
    if trainer.max_epochs and trainer.current_epoch >= trainer.max_epochs:
        return f"trainer.max_epochs ({trainer.max_epochs}) reached."
    timed_out = any(isinstance(c, Timer) and (c.time_remaining() or 1) <= 0 for c in trainer.callbacks)  # type: ignore[attr-defined]
    if trainer.should_stop:
        return "trainer.max_time reached." if timed_out else "something asked the trainer to stop."
    return "interrupted."
