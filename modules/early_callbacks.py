"""Lightning's callbacks that change a network as soon as a trainer starts, which is before one of ours is built."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.callbacks import BackboneFinetuning, BaseFinetuning, ModelPruning

from ..errors import InputError


def refuse_early(trainer: Any, is_built: bool) -> None:
    """Raise an `InputError` where a callback would freeze or prune nothing.

    Args:
        trainer: about to start.
        is_built: whether the network is there already.
    """
    for callback in trainer.callbacks:
        name = type(callback).__name__
        if isinstance(callback, BackboneFinetuning):
            raise InputError(
                f"{name} freezes a torch module called `backbone`, and here that is where weights come from: "
                "model.backbone.freeze (embeddings, a number of layers, or all) freezes for the whole run, "
                "model.gradual_unfreezing for its beginning."
            )
        if isinstance(callback, BaseFinetuning | ModelPruning) and not is_built:
            what = "prunes" if isinstance(callback, ModelPruning) else "freezes"
            raise InputError(
                f"{name} {what} before the network is built from what the data know: call the module's build() before "
                "fit (a task needs its labels for that, such as labels=['neg', 'pos'])."
            )
