"""The head on chosen places only: the costly vocabulary projection skips every token that has no target.

Touches: the body or the head of a network for one step, by torch's public hooks (2.13): heads of transformers 5.23
compute every token.
Off: `model.shortcuts: false`, which takes every place for a target (but with `model.r_drop`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def only_positions(body: nn.Module, places: Tensor) -> Iterator[None]:
    """Have `body` hand only the chosen places to whatever head follows, while active.

    The head works on the last dimension, so it is the model's own, whatever the architecture: the hook swaps the
    body's `last_hidden_state` of shape (rows, length, width) for the chosen ones, (1, targets, width).

    Args:
        body: the network without its head (`model.base_model`).
        places: (targets,), int64, into rows and length laid flat.
    """

    def swap(module: nn.Module, args: Any, output: Any) -> Any:
        output.last_hidden_state = _chosen(output.last_hidden_state, places)
        return output

    handle = body.register_forward_hook(swap)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def only_inputs(head: nn.Module, places: Tensor) -> Iterator[None]:
    """Have `head` see only the chosen places of its input, while active; for heads that are one projection.

    Args:
        head: the output embedding (`model.get_output_embeddings()`), called with (rows, length, width).
        places: (targets,), int64, into rows and length laid flat.
    """

    def swap(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (_chosen(args[0], places), *args[1:])

    handle = head.register_forward_pre_hook(swap)
    try:
        yield
    finally:
        handle.remove()


def _chosen(states: Tensor, places: Tensor) -> Tensor:
    return states.flatten(0, 1).index_select(0, places).unsqueeze(0)
