"""There is a device, and it is the one that was asked for."""

from __future__ import annotations

import pytest
import torch
from gpu_support import DEVICE, ON_CPU, holds, same


def test_it_computes() -> None:
    if not ON_CPU and not torch.cuda.is_available():
        pytest.skip("tests/gpu needs a GPU and CUDA_VISIBLE_DEVICES=0, or PRETUNE_GPU_TESTS=cpu")
    found = torch.arange(6, device=DEVICE).view(2, 3).float()
    assert found.device.type == DEVICE.type
    holds(found.sum() == 15)
    same(found @ found.T, torch.tensor([[5.0, 14.0], [14.0, 50.0]]))
