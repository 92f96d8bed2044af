"""What a module's options and its trainer's cannot have together, as far as it is known when the trainer starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import WeightAveraging

from ..errors import InputError

if TYPE_CHECKING:
    from .network import NetworkModule
    from .optimization.module import OptimizedModule


def refuse_divided(module: NetworkModule) -> None:
    """Raise an `InputError` for what cannot be had with a network that is divided over devices (FSDP2)."""
    trainer: Any = module.trainer
    for asked, name in (
        (module.backbone.adapters, "model.backbone.lora and adapter"),
        (module.optimizer_name == "muon", "model.optimizer: muon"),
        (module.l2_sp, "model.l2_sp"),
        (any(isinstance(callback, WeightAveraging) for callback in trainer.callbacks), "averaged weights"),
        (len(module.parts()) > 1 and trainer.accumulate_grad_batches > 1, "several losses, accumulated,"),
    ):
        if asked:
            raise InputError(
                f"{name} cannot be had with a network divided over devices: trainer.strategy: ddp would work."
            )


def refuse_unfreezing(module: OptimizedModule) -> None:
    """Raise an `InputError` where several processes are not told that layers have no gradient for a while."""
    told = getattr(module.trainer.strategy, "_ddp_kwargs", {}).get("find_unused_parameters")
    if module.gradual_unfreezing and module.trainer.world_size > 1 and not told:
        raise InputError(
            "model.gradual_unfreezing leaves layers without a gradient for a while, which several processes must "
            "be told: set trainer.strategy: ddp_find_unused_parameters_true."
        )


def refuse_predicting(module: LightningModule) -> None:
    """Raise an `InputError` where there is nothing that a module predicts."""
    if type(module).predict_step is LightningModule.predict_step:
        raise InputError(
            f"{type(module).__name__} predicts nothing of its own; give its run or export as model.backbone of a "
            "downstream task, such as TextClassification."
        )


def refuse_compiled(module: LightningModule) -> None:
    """Raise an `InputError` for a module that `torch.compile` was called on."""
    if module._compiler_ctx is not None:
        raise InputError(
            "torch.compile cannot follow the steps of a whole module, which look at the data: "
            "Backbone(..., compile=True) compiles the layers of its network."
        )


def refuse_unbuilt(module: NetworkModule) -> None:
    """Raise an `InputError` where a module is trained whose network no optimizer can know."""
    if module.model is None:
        raise InputError(
            f"The network of this {type(module).__name__} is not built yet, so that no optimizer has its weights: "
            "where no trainer of its own trains it, call build() first (in configure_model of the module that it is a "
            "part of, or before the optimizer is made)."
        )


def no_start() -> InputError:
    """Return what to say where weights should be held near to pretrained ones, and there are none."""
    return InputError(
        "model.l2_sp leads back to pretrained weights, and there are none that learn: give a backbone with "
        "weights, or set model.l2_sp: 0."
    )
