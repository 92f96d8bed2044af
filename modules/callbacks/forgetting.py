"""What fine-tuning costs: how much worse the pretraining objective becomes, and how far each layer moves."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor
from typing_extensions import override

from ...errors import InputError
from ..backbone.adapters import merge_adapters
from ..backbone.backbone import Backbone
from ..backbone.depth import parameter_depths
from ..backbone.families import family
from ..base import BaseModule
from ..objectives.causal import CausalLanguageModeling
from ..objectives.masked import MaskedLanguageModeling
from ..objectives.span_denoising import SpanDenoising
from .held_out import held_out
from .summary import add_to_summary

OBJECTIVES: dict[str, type[BaseModule]] = {
    "encoder": MaskedLanguageModeling,
    "decoder": CausalLanguageModeling,
    "encoder-decoder": SpanDenoising,
}


class Forgetting(Callback):
    """A measure of forgetting: the pretraining objective on held-out text before and after, and how far weights moved.

    The body of the fine-tuned network, with its best weights, is put under the pretraining head of the backbone's own
    weights: masked tokens for encoders, next tokens for decoders, spans for encoder-decoders. Where the weights have no
    such head, only the distances are shown: of each layer the length of its change over that of its weights at the
    start. Both go to the log and to `summary.json`. It costs a second network in memory, while it evaluates, and two
    passes over the text.

    Args:
        data: the text, such as `CorpusDataModule(test_files="held_out.txt")`; null measures the distances alone.
    """

    def __init__(self, data: LightningDataModule | None = None) -> None:
        self.data = data
        self._start: dict[str, Tensor] = {}
        self._before: dict[str, float] | None = None

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        module = _checked(pl_module)
        self._start = {name: weight.clone() for name, weight in body_weights(module).items()}
        self._before = self._evaluate(module, trainer.strategy.root_device, changed=False)

    @override
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not self._start or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        module = _checked(pl_module)
        moved = distances(module, self._start)
        after = self._evaluate(module, trainer.strategy.root_device, changed=True) if self._before is not None else None
        report: dict[str, Any] = {"moved": moved}
        if self._before is not None and after is not None:
            report |= {"before": self._before, "after": after}
            for name in ("loss", "perplexity"):
                rank_zero_info(f"Pretraining {name} on held-out text: {self._before[name]:.4f}, now {after[name]:.4f}.")
        far = ", ".join(f"{place} {share:.4f}" for place, share in moved.items())
        rank_zero_info(f"How far the weights moved, over their length: {far}.")
        add_to_summary(trainer, "forgetting", report)
        self._start = {}

    def _evaluate(self, module: BaseModule, device: torch.device, changed: bool) -> dict[str, float] | None:
        if self.data is None:
            return None
        plain = Backbone(
            module.backbone.name, module.backbone.config, module.backbone.revision,
            trust_remote_code=module.backbone.trust_remote_code,
        )  # fmt: skip
        objective = OBJECTIVES[family(module.model.config)](plain)
        objective.tokenizer = module.tokenizer
        with torch.random.fork_rng():  # whether anybody looks changes no training
            objective.build()
        report = objective.weight_report
        if report is None or report.head_is_new:
            if not changed:
                rank_zero_info(
                    f"{module.backbone.label} has no pretrained head for {type(objective).__name__}: what it forgets "
                    "cannot be measured, only how far its layers move. Weights with that head would work."
                )
            return None
        if changed:
            keys = objective.model.base_model.load_state_dict(body_weights(module), strict=False)
            if len(keys.missing_keys) > len(self._start) // 10:
                missing = ", ".join(keys.missing_keys[:3])
                raise InputError(f"The body does not fit under its pretraining head: it lacks {missing}.")
        return held_out(objective, self.data, device)


def _checked(module: LightningModule) -> BaseModule:
    if not isinstance(module, BaseModule) or module.backbone.name is None:
        raise InputError("Forgetting compares with pretrained weights: it needs a backbone with a name.")
    return module


def body_weights(module: BaseModule) -> dict[str, Tensor]:
    """Return the weights of the body, adapters merged into them, by their names in the body."""
    model: Any = merge_adapters(module.model) if module.backbone.adapters else module.model
    return {name: weight.detach() for name, weight in model.base_model.state_dict().items()}


def distances(module: BaseModule, start: dict[str, Tensor]) -> dict[str, float]:
    """Return how far each layer is from where it started: |w - w0| / |w0|, with `embeddings` below `layer 1`.

    Args:
        module: what was trained.
        start: `body_weights` at the start.
    """
    model: Any = merge_adapters(module.model) if module.backbone.adapters else module.model
    depths, top = parameter_depths(model)
    body, owner = model.base_model, {id(p): name for name, p in model.named_parameters()}
    sums: dict[int, list[float]] = {}
    for name, weight in body.named_parameters():
        if name not in start or (depth := depths[owner[id(weight)]]) >= top:
            continue
        old = start[name].to(weight.device).double()
        entry = sums.setdefault(depth, [0.0, 0.0])
        entry[0] += float((weight.detach().double() - old).square().sum())
        entry[1] += float(old.square().sum())
    return {
        "embeddings" if depth == 0 else f"layer {depth}": (moved / max(whole, 1e-30)) ** 0.5
        for depth, (moved, whole) in sorted(sums.items())
    }
