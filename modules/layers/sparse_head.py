"""The head on chosen positions only: the costly vocabulary projection skips every token that has no target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def only_positions(body: nn.Module, chosen: Tensor) -> Iterator[None]:
    """While active, `body` hands only the chosen positions to whatever head follows.

    The head works on the last dimension, so it is the model's own, whatever the architecture: the hook swaps the
    body's `last_hidden_state` of shape (rows, length, width) for the chosen ones, (1, targets, width).

    Args:
        body: the network without its head (`model.base_model`).
        chosen: (rows, length), boolean.
    """

    def swap(module: nn.Module, args: Any, output: Any) -> Any:
        output.last_hidden_state = output.last_hidden_state[chosen].unsqueeze(0)
        return output

    handle = body.register_forward_hook(swap)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def only_inputs(head: nn.Module, chosen: Tensor) -> Iterator[None]:
    """While active, `head` sees only the chosen positions of its input; for heads that are one projection.

    Args:
        head: the output embedding (`model.get_output_embeddings()`), called with (rows, length, width).
        chosen: (rows, length), boolean.
    """

    def swap(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (args[0][chosen].unsqueeze(0), *args[1:])

    handle = head.register_forward_pre_hook(swap)
    try:
        yield
    finally:
        handle.remove()
