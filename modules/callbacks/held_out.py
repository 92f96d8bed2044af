"""What a network knows of a text that it is not trained on."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import move_data_to_device

from ...errors import InputError
from ..base import BaseModule


@torch.no_grad()
def held_out(objective: BaseModule, data: LightningDataModule) -> dict[str, float]:
    """The loss of a pretraining objective on the test part of a corpus.

    Masks in evaluation are a fixed function of the text, so that two networks answer the same questions.

    Args:
        objective: its network is built; it stays in the mode it is in.
        data: such as `CorpusDataModule(test_files=...)`; used as it comes, with the objective's tokenizer.

    Returns:
        `loss` (per target), `perplexity`, and of the corpus the `tokens_per_word`, the `word_perplexity` that follows
        from both, and the share of `unknown` tokens.

    Raises:
        InputError: if the data have no test part.
    """
    corpus: Any = copy.deepcopy(data)
    if not hasattr(corpus, "use_tokenizer"):
        raise InputError(f"{type(data).__name__} cannot be held out: CorpusDataModule(test_files=...) would work.")
    corpus.block_size = min(corpus.block_size, objective.input_limit() or corpus.block_size)
    corpus.special_tokens = objective.frames_text if corpus.special_tokens is None else corpus.special_tokens
    corpus.use_tokenizer(objective.tokenizer)
    corpus.setup("test")
    device = next(objective.model.parameters()).device
    training = objective.model.training
    objective.model.eval()
    sums = {part: torch.zeros(2, dtype=torch.float64) for part in objective.parts()}
    with torch.random.fork_rng():  # loaders draw a seed, which they do not use
        for batch in corpus.test_dataloader():
            found = objective.step(move_data_to_device(batch, device), "test")
            outputs = found if isinstance(found, dict) else {"": found}
            for part, output in outputs.items():
                sums[part] += torch.stack((output.loss, output.count)).double().cpu()
    objective.model.train(training)
    loss = sum(weight * float(sums[part][0] / sums[part][1]) for part, weight in objective.parts().items())
    counts = corpus.counts["test"]
    fertility = counts["tokens"] / max(1, counts["words"])
    return {
        "loss": loss,
        "perplexity": math.exp(min(loss, 700.0)),
        "word_perplexity": math.exp(min(loss * fertility, 700.0)),
        "tokens_per_word": fertility,
        "unknown": counts.get("unknown", 0) / max(1, counts["tokens"]),
    }
