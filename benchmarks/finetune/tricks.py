"""Methods against overfitting that were tried and are no options of the suite, as callbacks; `few_labels.py` runs them.

Each is a callback that changes how a module trains, and leaves its weights, names and evaluation alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import Callback
from torch import Tensor, nn

from pretune.modules.base import Output
from pretune.modules.losses.agreement import disagreement


class Mixout(Callback):
    """Mixout (arXiv 1909.11299): at each step a random part of each matrix is what it was before fine-tuning.

    Args:
        probability: the share of the weights.
    """

    def __init__(self, probability: float = 0.1) -> None:
        self.probability = probability

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Takes the weights as they are now; the new head has none to go back to."""
        for layer in pl_module.model.base_model.modules():
            if isinstance(layer, nn.Linear):
                layer.forward = self._mixed(layer, layer.weight.detach().clone())  # type: ignore[method-assign]

    def _mixed(self, layer: nn.Linear, before: Tensor) -> Any:
        def forward(inputs: Tensor) -> Tensor:
            weight, p = layer.weight, self.probability
            if layer.training:
                kept = torch.rand_like(weight) < p
                weight = (torch.where(kept, before, weight) - p * before) / (1 - p)
            return F.linear(inputs, weight, layer.bias)

        return forward


class EmbeddingNoise(Callback):
    """NEFTune (arXiv 2310.05914): uniform noise of alpha / sqrt(length x width) on the word embeddings in training.

    Args:
        alpha: how much of it.
    """

    def __init__(self, alpha: float = 5.0) -> None:
        self.alpha = alpha

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Adds the noise where words become vectors."""

        def hook(layer: nn.Module, inputs: Any, vectors: Tensor) -> Tensor:
            if not layer.training:
                return vectors
            reach = self.alpha / (vectors.size(-2) * vectors.size(-1)) ** 0.5
            return vectors + torch.empty_like(vectors).uniform_(-reach, reach)

        pl_module.model.get_input_embeddings().register_forward_hook(hook)


class _Perturbed(Callback):
    """Adds `shift`, (rows, length, width), to the word embeddings of the passes that `outputs` makes."""

    shift: Tensor | None = None

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Stands between the module and its step."""
        plain = pl_module._outputs
        embeddings = pl_module.model.get_input_embeddings()
        embeddings.register_forward_hook(lambda _, __, v: v if self.shift is None else v + self.shift)
        width = embeddings.weight.size(-1)

        def outputs(batch: dict[str, Tensor], stage: str) -> dict[str, Output]:
            if stage != "train":
                return plain(batch, stage)  # type: ignore[no-any-return]
            try:
                return self.outputs(lambda: plain(batch, stage), batch["attention_mask"].unsqueeze(-1), width)
            finally:
                self.shift = None

        pl_module._outputs = outputs

    def outputs(self, passes: Any, mask: Tensor, width: int) -> dict[str, Output]:
        """The outputs of a step, whose loss is learned from."""
        raise NotImplementedError


class SMART(_Perturbed):
    """SMART's smoothness (arXiv 1911.03437): outputs hardly change at the worst small shift of the embeddings.

    Args:
        weight: of the divergence between the outputs with and without the shift.
        size: standard deviation of the shift that the ascent starts from.
        rate: length of the one step of ascent, by the largest coordinate.
    """

    def __init__(self, weight: float = 1.0, size: float = 1e-5, rate: float = 1e-3) -> None:
        self.weight, self.size, self.rate = weight, size, rate

    def outputs(self, passes: Any, mask: Tensor, width: int) -> dict[str, Output]:
        """One pass as it is, one to find the shift, one with it."""
        found = passes()
        self.shift = (torch.randn(*mask.shape[:2], width, device=mask.device) * self.size * mask).requires_grad_()
        (slope,) = torch.autograd.grad(sum(self._apart(found, passes(), detach=True).values()), self.shift)
        steepest = slope.abs().amax((1, 2), keepdim=True).clamp(min=1e-12)
        self.shift = (self.shift.detach() + self.rate * slope / steepest) * mask
        apart = self._apart(found, passes())
        return {part: replace(one, loss=one.loss + self.weight * apart[part]) for part, one in found.items()}

    @staticmethod
    def _apart(found: dict[str, Output], other: dict[str, Output], detach: bool = False) -> dict[str, Tensor]:
        return {
            part: disagreement([o.detach() for o in one.outputs] if detach else one.outputs, two.outputs, one.kind)
            for (part, one), two in zip(found.items(), other.values(), strict=True)
        }


class FreeLB(_Perturbed):
    """FreeLB (arXiv 1909.11764): the mean loss over the steps of an ascent on a shift of the embeddings.

    Args:
        steps: passes, each with a further shift.
        rate: length of a step of ascent, by the norm of a row's shift.
        size: of the random shift that it starts from.
    """

    def __init__(self, steps: int = 2, rate: float = 0.1, size: float = 0.1) -> None:
        self.steps, self.rate, self.size = steps, rate, size

    def outputs(self, passes: Any, mask: Tensor, width: int) -> dict[str, Output]:
        """As many passes as steps, all learned from."""
        length = mask.sum((1, 2)).view(-1, 1, 1)
        noise = torch.empty(*mask.shape[:2], width, device=mask.device).uniform_(-1, 1) * mask
        self.shift = (noise * self.size / (length * width).sqrt()).requires_grad_()
        found: list[dict[str, Output]] = []
        for _ in range(self.steps):
            found.append(passes())
            loss: Any = sum(one.loss for one in found[-1].values())
            (slope,) = torch.autograd.grad(loss, self.shift, retain_graph=True)
            norm = slope.flatten(1).norm(dim=1).clamp(min=1e-12).view(-1, 1, 1)
            self.shift = (self.shift.detach() + self.rate * slope / norm).requires_grad_()
        return {
            part: replace(one, loss=sum((f[part].loss for f in found[1:]), one.loss) / self.steps)
            for part, one in found[0].items()
        }
