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
    if trainer.max_epochs not in (-1, None) and trainer.current_epoch >= trainer.max_epochs:
        return f"trainer.max_epochs ({trainer.max_epochs}) reached."
    if timed_out(trainer):
        return "trainer.max_time reached."
    if trainer.should_stop:
        return "something asked the trainer to stop."
    return "interrupted."


def timed_out(trainer: Trainer) -> bool:
    """Return whether `trainer.max_time` is over."""
    left = [c.time_remaining() for c in trainer.callbacks if isinstance(c, Timer)]  # type: ignore[attr-defined]
    return any(seconds is not None and seconds <= 0 for seconds in left)
