"""A question of transformers that each step would answer again, and that a GPU is waited for with.

Touches: the method `warn_if_padding_and_no_attention_mask` of networks of transformers 5.23 that are trained, which is
exchanged for one that does nothing: it looks at the token ids, and waits for a GPU, in each step.
Off: `model.shortcuts: false`.
"""

from __future__ import annotations

from typing import Any

from torch import nn

CHECK = "warn_if_padding_and_no_attention_mask"


def leave_out_padding_check(network: nn.Module) -> None:
    """Have networks believe that inputs without a mask have no padding: what leaves it out has made sure.

    Args:
        network: any; those of transformers that ask are changed.
    """
    for module in network.modules():
        if hasattr(module, CHECK):
            setattr(module, CHECK, _nothing)


def _nothing(*_: Any, **__: Any) -> None:
    pass
