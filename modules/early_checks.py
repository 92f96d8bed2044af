"""What cannot come to a good end is said when a trainer starts, not when hours of tokenizing are done.

The trainer asks for a module's callbacks before data are prepared, which is when this is looked at. All of it is cheap:
configurations and names, no weights.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch.trainer.states import TrainerFn

from ..checkpoints import locate, stored
from ..contracts import data_facts, set_length
from ..errors import InputError
from .backbone.skeleton import try_out
from .early_callbacks import refuse_early
from .early_monitors import check_monitors
from .optimization.schedules import schedule
from .refusals import (
    no_start,
    refuse_answer_options,
    refuse_compiled,
    refuse_divided,
    refuse_predicting,
    refuse_unfreezing,
)
from .strategies import FullySharded

if TYPE_CHECKING:
    from .base import BaseModule


def check_early(module: BaseModule) -> None:
    """Refuse a backbone, data, a schedule or a metric that would be refused after all data were prepared.

    Args:
        module: whose trainer is just starting.

    Raises:
        InputError: as the step would that comes later.
    """
    trainer: Any = module.trainer
    refuse_compiled(module)
    refuse_early(trainer, module.model is not None)
    if module.model is None and module.stored is None:
        _check_architecture(module)
    _check_kind_of_data(module)
    if set_length(module.datamodule) is not None:
        module.check_length()  # of the others the tokenizer decides
    for callback in trainer.callbacks:
        data_facts(getattr(callback, "data", None)).find_sources()
    if trainer.state.fn == TrainerFn.PREDICTING:
        refuse_predicting(module)
        refuse_answer_options(module)
    if isinstance(trainer.strategy, FullySharded):
        refuse_divided(module)
    if trainer.state.fn == TrainerFn.FITTING:
        refuse_unfreezing(module)
        if module.l2_sp and module.stored is None and module.model is None and module.backbone.name is None:
            raise no_start()
        check_monitors(module, trainer.callbacks)
        _check_length_of_training(module)


def _check_architecture(module: BaseModule) -> None:
    """Look at the configuration that names or describes the weights."""
    import transformers

    from .backbone.architecture import refuse_unsupported

    config = module.backbone.load_config()
    module.check_backbone(config)
    _check_weights(module.backbone.name)
    auto = getattr(transformers, module.auto_class)
    refuse_unsupported(config, auto, module.backbone.label)
    try_out(module.backbone, auto, config)


def _check_weights(name: str | None) -> None:
    """Look whether there are any, where that can be seen; what is on the hub is not asked for."""
    place = None if name is None else locate(name)
    if not isinstance(place, Path):
        return
    if place.suffix == ".ckpt":
        if stored(place).lora:
            raise InputError(f"{place} holds adapters that are not merged; the export/ of its run holds them merged.")
    elif not any(place.glob("*.safetensors")):
        raise InputError(
            f"The folder {place} holds no weights in the safetensors format, beside its config.json (other formats may "
            "run code, and are not read). For a fresh network of that architecture, give backbone.config instead."
        )


def _check_kind_of_data(module: BaseModule) -> None:
    """Refuse text without labels for a task, and pairs of sentences for anything but what learns from them."""
    data = module.datamodule
    if not module.datamodules or not type(data).__module__.startswith("pretune."):
        return
    holds, wants = data.holds, module.learns_from
    if (holds == "sentence pairs") is not (wants == "sentence pairs") or (wants == "labels" and holds != "labels"):
        raise InputError(
            f"{type(module).__name__} cannot learn from a {type(data).__name__}; the data of a "
            f"{' or '.join(module.datamodules)} would work."
        )


def _check_length_of_training(module: BaseModule) -> None:
    """Refuse a schedule that goes by the length of a training without an end."""
    from .optimization.module import OptimizedModule

    trainer: Any = module.trainer
    own = type(module).configure_optimizers is not OptimizedModule.configure_optimizers
    if own or trainer.max_epochs != -1 or trainer.max_steps != -1:
        return
    try:
        schedule(module.schedule, math.inf, module.warmup, clock=module.clock.share(module.trainer))
    except ValueError as error:
        raise InputError(str(error)) from error
