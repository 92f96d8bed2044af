"""A probe while pretraining: how well the body's features already serve a small task."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.utilities import move_data_to_device
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor, nn
from typing_extensions import override

from ...contracts import data_facts
from ...errors import InputError
from ..base import BaseModule
from .logistic import fit_logistic


class Probe(Callback):
    """A linear classifier that is trained on the body's features at each validation; its accuracy is logged.

    The features of a text are the mean of its last hidden states (of the encoder, where there are two stacks), in
    evaluation mode; the classifier is a logistic regression with an L2 penalty, solved to its optimum, so that the same
    weights always give the same score (arXiv 1610.01644). Nothing of the training changes: no gradient is left behind,
    and no random number is drawn. `probe/NAME` can be monitored as any metric: `model.monitor: probe/accuracy` stops on
    transfer and keeps what transfers best.

    Args:
        data: the task, such as `TextClassificationDataModule(train_files=..., validation_files=...)`; single labels.
        name: of the metric, after `probe/`.
        penalty: of the L2 norm of the classifier's weights.
        every_n_validations: how seldom.
    """

    def __init__(
        self, data: LightningDataModule, name: str = "accuracy", penalty: float = 1.0, every_n_validations: int = 1
    ) -> None:
        self.data: Any = data
        self.name = f"probe/{name}"
        self.penalty = penalty
        self.every_n_validations = every_n_validations
        self.directions = {self.name: "max"}
        self._validations = 0

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not isinstance(pl_module, BaseModule):
            raise InputError(
                f"Probe looks into the body of a module of this suite, not of a {type(pl_module).__name__}."
            )
        facts = data_facts(self.data)
        facts.use_tokenizer(pl_module.tokenizer)
        facts.take_share(0, 1)  # each process fits the whole classifier
        self.data.prepare_data()
        self.data.setup("fit")
        if (problem := facts.problem) != "single":
            raise InputError(
                f"Probe tells texts with single labels apart, and its data ({type(self.data).__name__}) are "
                f"{problem or 'not labeled so'}: a TextClassificationDataModule would work."
            )
        if "validation" not in self.data.datasets:
            raise InputError(
                "Probe's data have nothing to score on: set their validation_files, or a validation_fraction above 0."
            )

    @override
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        self._validations += 1
        if (self._validations - 1) % self.every_n_validations == 0:
            self._score = self.score(pl_module)  # type: ignore[arg-type]
            rank_zero_info(f"step {trainer.global_step:,}: {self.name} {self._score:.4f}")
        pl_module.log(self.name, self._score)

    def state_dict(self) -> dict[str, Any]:
        """Return where it is among the validations."""
        return {"validations": self._validations, "score": getattr(self, "_score", 0.0)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from where it was among the validations."""
        self._validations, self._score = state_dict["validations"], state_dict["score"]

    def score(self, module: BaseModule) -> float:
        """Return the accuracy on the task's validation rows of a classifier trained on its training rows."""
        body = features_of(module.model)
        training = module.model.training
        module.model.eval()
        try:
            with torch.random.fork_rng():  # loaders draw a seed, which they do not use
                (x, y), (x_val, y_val) = (self._features(module, body, split) for split in ("train", "validation"))
        finally:
            module.model.train(training)
        with torch.enable_grad(), torch.inference_mode(False):
            weight, bias = fit_logistic(x, y, int(torch.cat((y, y_val)).max()) + 1, self.penalty)
        return float(((x_val @ weight + bias).argmax(-1) == y_val).double().mean())

    @torch.no_grad()
    def _features(self, module: BaseModule, body: nn.Module, split: str) -> tuple[Tensor, Tensor]:
        features, labels = [], []
        for batch in self.data.loader(split):
            batch = move_data_to_device(batch, module.device)
            mask = batch["attention_mask"].unsqueeze(-1).float()
            inputs = module.network_inputs(batch, body)
            states = body(**inputs).last_hidden_state.float()
            features.append(((states * mask).sum(1) / mask.sum(1)).cpu())
            labels.append(batch["labels"].cpu())
        # Clones: what inference mode made cannot be learned from.
        return torch.cat(features).double().clone(), torch.cat(labels).long().clone()


def features_of(model: Any) -> nn.Module:
    """Return what reads a text in a network: its body, or the encoder of an encoder-decoder."""
    body: nn.Module = model.get_encoder() if model.config.is_encoder_decoder else model.base_model
    return body
