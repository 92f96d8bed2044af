"""What a module's options and its trainer's cannot have together, as far as it is known when the trainer starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import WeightAveraging

from ..errors import InputError, check_range

if TYPE_CHECKING:
    from .base import BaseModule
    from .network import NetworkModule
    from .optimization.module import OptimizedModule

WANTED = {"top_k": "list of likely answers to choose from", "threshold": "probability of an answer as a whole"}
"""What a prediction must have for an option to mean something."""


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


def refuse_answer_options(module: BaseModule) -> None:
    """Raise an `InputError` for what is asked of predictions and means nothing there."""
    options, known = module.answer_options, module.answered_by()
    check_range("--top_k", options.top_k, least=1)
    check_range("--threshold", options.threshold)
    for name, value in (("top_k", options.top_k), ("threshold", options.threshold)):
        if value is not None and name not in known:
            kind = module.problem or module.asked_problem()
            problem = f" ({kind})" if kind else ""
            instead = f"; it takes --{' and --'.join(known)}" if known else ""
            raise InputError(
                f"--{name} means nothing for {type(module).__name__}{problem}, which gives no {WANTED[name]}: leave it "
                f"out{instead}."
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
