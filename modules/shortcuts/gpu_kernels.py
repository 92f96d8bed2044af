"""Operations that keep for the backward pass what they keep on CUDA, for estimates on a machine without a GPU.

Touches: `dropout`, `scaled_dot_product_attention` and `layer_norm` of `torch.nn.functional` (torch 2.13), which are
others while `estimate` runs a step on shapes alone: torch chooses what to keep by the device.
Off: `estimate` of a training on a CPU (`--trainer.accelerator cpu`, no `--hardware`); nothing else uses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor


@contextmanager
def as_on_a_gpu(mixed: bool) -> Iterator[None]:
    """Have operations keep what they keep on CUDA, while active.

    That is: dropout a boolean mask, attention no probabilities, and norms what is in float32 under autocast.

    Args:
        mixed: whether autocast is on.
    """
    attention, norm = F.scaled_dot_product_attention, F.layer_norm

    def dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        return torch.native_dropout(x, p, True)[0] if training and p > 0 else x

    def fused(query: Tensor, key: Tensor, value: Tensor, mask: Any = None, p: float = 0.0, **options: Any) -> Tensor:
        options = {name: value for name, value in options.items() if name != "dropout_p"}
        return attention(query, key, value, options.pop("attn_mask", mask), 0.0, **options)

    def float_norm(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return norm(x.float() if mixed else x, *args, **kwargs)

    with ExitStack() as stack:
        stack.enter_context(patch.object(F, "dropout", dropout))
        stack.enter_context(patch.object(F, "scaled_dot_product_attention", fused))
        stack.enter_context(patch.object(F, "layer_norm", float_norm))
        yield
