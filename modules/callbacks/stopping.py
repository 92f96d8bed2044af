"""Why training stopped."""

from __future__ import annotations

from lightning.pytorch import Trainer


def stopping_reason(trainer: Trainer) -> str:
    """One sentence, for the log, the summary and the picture of a run."""
    for callback in trainer.early_stopping_callbacks:
        if callback.stopping_reason_message and trainer.should_stop:
            return callback.stopping_reason_message
    if trainer.max_steps not in (-1, None) and trainer.global_step >= trainer.max_steps:
        return f"trainer.max_steps ({trainer.max_steps}) reached."
    if trainer.max_epochs and trainer.current_epoch >= trainer.max_epochs:
        return f"trainer.max_epochs ({trainer.max_epochs}) reached."
    return "trainer.max_time reached." if trainer.should_stop else "interrupted."
