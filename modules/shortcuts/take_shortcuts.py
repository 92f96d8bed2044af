"""All shortcuts that a network is given before it is trained.

Touches: nothing by itself of transformers 5.23 and torch 2.13; it calls the others.
Off: `model.shortcuts: false`, which does not call it.
"""

from __future__ import annotations

import torch
from torch import nn

from .dropout import use_fast_dropout
from .packed_attention import prefer_own_attention
from .padding_check import leave_out_padding_check
from .unpadding import leave_out_padding
from .varlen_attention import dropout_works


def take_shortcuts(network: nn.Module, device: torch.device) -> None:
    """Change how a network computes, and not what.

    Args:
        network: of transformers, on the device.
        device: where it is trained.
    """
    leave_out_padding_check(network)
    prefer_own_attention(network)
    leave_out_padding(network)
    if device.type == "cpu":
        use_fast_dropout(network)
    elif device.type == "cuda":
        dropout_works(device)  # looked at before anything is compiled
