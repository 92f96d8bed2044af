"""What a step computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ..errors import InputError
from .losses.agreement import Kind, disagreement


@dataclass
class Output:
    """What a step computes, or one part of it.

    Args:
        loss: scalar, the sum over targets.
        count: scalar, the number of targets (or their total weight).
        predictions: what the metrics take as predictions.
        targets: what the metrics take as targets.
        outputs: what the loss compares with the targets, (targets, ...) each: what R-Drop holds together.
        kind: what `outputs` are: logits of `classes`, logits of yes or no (`binary`), or `numbers`.
        tokens: (targets,) int64, where a vocabulary is predicted: what is right; `IGNORED` where there is no target.
        positions: (targets,) int64, how many tokens stand before each in its row or document, where that is known.
    """

    loss: Tensor
    count: Tensor
    predictions: Tensor
    targets: Tensor
    outputs: tuple[Tensor, ...] = ()
    kind: Kind = "classes"
    tokens: Tensor | None = None
    positions: Tensor | None = None


def outputs_by_part(returned: Any, module: Any) -> dict[str, Output]:
    """Return what a step returned by the names of its parts; a single output is that of a part without a name.

    Args:
        returned: by `step`.
        module: whose step it was, for the message.
    """
    if isinstance(returned, Output):
        return {"": returned}
    if not isinstance(returned, dict):
        raise TypeError(
            f"{type(module).__name__}.step must return an Output (the sum of the losses, their number, predictions, "
            f"targets), or one for each part, and returned a {type(returned).__name__}."
        )
    return returned


def held_together(first: dict[str, Output], second: dict[str, Output], strength: float) -> dict[str, Output]:
    """Return the outputs of two passes as one: the mean of both losses, and how far they are apart (R-Drop).

    Args:
        first: by part; its predictions are kept.
        second: of the same batch, with other dropout.
        strength: of the disagreement, in the loss (arXiv 2106.14448).
    """
    return {
        part: replace(
            one, loss=(one.loss + other.loss) / 2 + strength * disagreement(one.outputs, other.outputs, one.kind)
        )
        for (part, one), other in zip(first.items(), second.values(), strict=True)
    }


def refuse_batch(module: Any, batch: Any) -> None:
    """Raise an `InputError` if a batch lacks what a module needs.

    Args:
        module: with `batch_keys` and, for the message, `datamodules`.
        batch: whatever a loader gave.
    """
    keys = list(batch) if isinstance(batch, Mapping) else None
    if missing := [key for key in module.batch_keys if keys is None or key not in keys]:
        has = f"these are of type {type(batch).__name__}" if keys is None else f"these have {', '.join(keys)}"
        raise InputError(
            f"{type(module).__name__} needs batches with {', '.join(missing)}, and {has}; "
            f"the data of {' or '.join(module.datamodules) or 'another datamodule'} would work."
        )
