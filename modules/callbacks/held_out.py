"""What an objective knows of a text that it is not trained on."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import move_data_to_device

from ...contracts import DataFacts, data_facts
from ...errors import InputError
from ..base import BaseModule

STAGE = "held_out"
"""Neither training nor validation nor test: a step draws as they do in evaluation, and logs nothing."""


def held_out(objective: BaseModule, data: LightningDataModule, device: torch.device | None = None) -> dict[str, float]:
    """Return the loss of a pretraining objective on the test part of a datamodule, with the weights that it has now.

    Masks in evaluation are a fixed function of the text, so that two networks answer the same questions. Modes, metrics
    and random numbers stay as they are.

    Args:
        objective: one with a tokenizer; its network is built if it is not.
        data: such as `CorpusDataModule(test_files=...)`; used as it comes, with the objective's tokenizer.
        device: to compute on; a training that has ended leaves its network on the CPU. Null: where the network is.

    Returns:
        `loss`, per target and as the objective weighs its parts; of objectives that predict tokens `perplexity`, and
        where the data count their words (a corpus does) `tokens_per_word`, the share of `unknown` tokens, and
        `word_perplexity` and `bits_per_byte`, which compare between tokenizers. Objectives that predict some tokens
        only are taken to be as good at the others.

    Raises:
        InputError: if the data have no test part, or read no text.
    """
    objective.build()
    data = _prepared(objective, data)
    home = next(objective.model.parameters()).device
    objective.to(device or home)
    try:
        sums = _sums(objective, data)
    finally:
        objective.to(home)
    means = {part: loss / count if count else math.nan for part, (loss, count) in sums.items()}
    measures = {"loss": sum(weight * means[part] for part, weight in objective.parts().items())}
    if objective.perplexity_of not in means:
        return measures
    nats = means[objective.perplexity_of]
    measures["perplexity"] = _exp(nats)
    if count := data_facts(data).counts.get("test"):
        tokens = count["tokens"]
        fertility = tokens / max(1, count["words"])
        measures["tokens_per_word"] = fertility
        measures["unknown"] = count.get("unknown", 0) / max(1, tokens)
        measures["word_perplexity"] = _exp(nats * fertility)
        measures["bits_per_byte"] = nats * tokens / max(1, count["bytes"]) / math.log(2)
    return measures


def _prepared(objective: BaseModule, data: LightningDataModule) -> Any:
    kinds = {kind.__name__ for kind in type(data).__mro__}
    if not isinstance(data, DataFacts) or not kinds & set(objective.datamodules):
        able = " or ".join(f"{name}(test_files=...)" for name in objective.datamodules)
        raise InputError(
            f"{type(data).__name__} cannot be held out for {type(objective).__name__}: "
            f"{able or 'CorpusDataModule(test_files=...)'} would work."
        )
    prepared: Any = copy.deepcopy(data)
    prepared.serve(objective)
    prepared.setup("test")
    return prepared


def _sums(objective: BaseModule, data: LightningDataModule) -> dict[str, tuple[float, float]]:
    """Return the sum of the loss and the number of targets of each part of an objective."""
    device = next(objective.model.parameters()).device
    modes = [(module, module.training) for module in objective.modules()]
    sums = dict.fromkeys(objective.parts(), (0.0, 0.0))
    objective.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng():  # loaders draw a seed, which they do not use
            for batch in data.test_dataloader():
                outputs = objective.step(move_data_to_device(batch, device), STAGE)
                for part, output in (outputs if isinstance(outputs, dict) else {"": outputs}).items():
                    loss, count = sums[part]
                    sums[part] = loss + float(output.loss), count + float(output.count)
    finally:
        for module, training in modes:
            module.training = training
    return sums


def _exp(nats: float) -> float:
    return math.exp(min(nats, 700.0))
