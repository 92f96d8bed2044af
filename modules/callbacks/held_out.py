"""An objective's loss on any texts, beside what the trainer validates on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from ..base import BaseModule, Output

STAGE = "held_out"
"""Neither training nor validation or test: a step then draws as validation does, and logs nothing."""


def held_out_loss(
    objective: BaseModule,
    files: str | list[str],
    length: int | None = None,
    batch_size: int = 32,
    options: dict[str, Any] | None = None,
) -> dict[str, float]:
    """What an objective loses on files, with the weights that it has now and without a trainer.

    Masks are those of validation, a fixed function of each example, so that two models of one tokenizer solve the same
    tasks. The objective keeps its modes and metrics, and the random numbers of the process are not touched.

    Args:
        objective: any of the objectives; it is built where it was not, and needs a tokenizer.
        files: paths, globs or URLs, of what the objective's datamodule reads.
        length: tokens in an example; null takes 128, or what the backbone takes where that is less.
        batch_size: examples at a time.
        options: further ones of that datamodule, such as `{documents: paragraph, text_column: body}`.

    Returns:
        The measures of `loss_over`.

    Raises:
        InputError: if the files hold no text, or are not there.
    """
    return loss_over(objective, held_out_data(objective, files, length, batch_size, options))


def held_out_data(
    objective: BaseModule,
    files: str | list[str],
    length: int | None = None,
    batch_size: int = 32,
    options: dict[str, Any] | None = None,
) -> Any:
    """The datamodule that an objective names, with files to validate on, cut by the objective's tokenizer.

    Args:
        objective: see `held_out_loss`, as for all others.
        files: to validate on.
        length: tokens in an example.
        batch_size: examples at a time.
        options: further ones of the datamodule.
    """
    # Modules know no datamodule, but what evaluates one on files needs both; only here, and only when it is called.
    from ... import datamodules

    objective.build()
    kind: Any = getattr(datamodules, objective.datamodules[0])
    given: dict[str, Any] = {"batch_size": batch_size, **(options or {}), "validation_files": files}
    given.setdefault(kind.length_option, length or min(128, objective.input_limit() or 128))
    if kind.__name__ == "CorpusDataModule":  # which asks its trainer's module, and here there is no trainer
        given = {"special_tokens": objective.frames_text, "word_ids": objective.needs_word_ids, **given}
    data = kind(**given)
    data.use_tokenizer(objective.tokenizer)
    data.prepare_data()
    data.setup("validate")
    return data


def loss_over(objective: BaseModule, data: Any) -> dict[str, float]:
    """The measures of an objective on the validation part of a datamodule that is set up.

    Args:
        objective: built; it computes where it is.
        data: a datamodule; of a corpus it knows `counts`, from which follow the measures per word and byte.

    Returns:
        `loss` per target; of objectives that predict tokens also `perplexity`, and where the data count their words
        `word_perplexity`, `bits_per_byte` (both comparable between tokenizers) and `tokens_per_word` (the tokenizer's
        fertility). For objectives that predict only some tokens, those per word and byte take these for all.
    """
    sums = _sums(objective, data.val_dataloader())
    means = {part: loss / count if count else math.nan for part, (loss, count) in sums.items()}
    found = {"loss": sum(weight * means[part] for part, weight in objective.parts().items())}
    if objective.perplexity_of not in means:
        return found
    nats = means[objective.perplexity_of]
    found["perplexity"] = _exp(nats)
    if counts := getattr(data, "counts", {}).get("validation"):
        fertility = counts["tokens"] / max(1, counts["words"])
        found["word_perplexity"] = _exp(nats * fertility)
        found["bits_per_byte"] = nats * counts["tokens"] / max(1, counts["bytes"]) / math.log(2)
        found["tokens_per_word"] = fertility
    return found


def _sums(objective: BaseModule, batches: Iterable[dict[str, Tensor]]) -> dict[str, tuple[float, float]]:
    """Of each part of an objective the sum of its loss and the number of its targets."""
    modes = [(module, module.training) for module in objective.modules()]
    sums: dict[str, tuple[float, float]] = {}
    objective.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):  # a loader draws a seed
            for batch in batches:
                output = objective.step({key: value.to(objective.device) for key, value in batch.items()}, STAGE)
                for part, found in ({"": output} if isinstance(output, Output) else output).items():
                    loss, count = sums.get(part, (0.0, 0.0))
                    sums[part] = loss + float(found.loss), count + float(found.count)
    finally:
        for module, training in modes:
            module.training = training
    return sums


def _exp(nats: float) -> float:
    return math.exp(nats) if nats < 700 else math.inf
