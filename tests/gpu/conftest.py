"""What only a GPU can show, in three ways of running.

On a GPU, all of it, in less than two minutes:

    CUDA_VISIBLE_DEVICES=0 python -m pytest -q -n 8 tests/gpu

On the CPU in the place of a GPU, so that the tests are known to be right before a GPU sees them (`make test` does so):

    PRETUNE_GPU_TESTS=cpu python -m pytest -q tests/gpu         # -m "" for everything

On the GPU of `tests/null_gpu`, which computes nothing: every line runs, and no number is looked at:

    PRETUNE_NULL_GPU=1 PYTORCH_NO_CUDA_MEMORY_CACHING=1 LD_PRELOAD=... (see tests/null_gpu/build.py)

Without a GPU and without one of these variables they are skipped.
"""

from __future__ import annotations

import os

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before CUDA starts: products that are deterministic

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from gpu_support import ACCELERATOR, COUNTED, NULL, ON_CPU
from transformers import GenerationMixin

from pretune.cli.callbacks import best
from pretune.main import main
from pretune.modules.optimization import module as optimization
from pretune.modules.shortcuts import packed_attention, varlen_attention

if not ON_CPU and not torch.cuda.is_available():
    collect_ignore_glob = ["test_[!d]*.py"]  # all but test_device.py, which says so

if NULL:
    torch.backends.cuda.enable_cudnn_sdp(False)  # a part of cuDNN that is no shared library asks more than is there


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what lies here, and leaves out what a device that computes nothing cannot tell the size of."""
    here = Path(__file__).parent
    for item in (item for item in items if here in item.path.parents):
        item.add_marker(pytest.mark.gpu)
        if NULL and any(name in item.name for name in COUNTED):
            item.add_marker(pytest.mark.skip(reason="shapes are results of the device"))


@pytest.fixture(autouse=True)
def _exact() -> Iterator[None]:
    """Products in float32 are products in float32."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(autouse=True)
def _what_null_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the host goes by a result: lengths of documents, and the end of a text, which would never come."""
    if NULL:
        usual = packed_attention._side_by_side

        def one_document(query: torch.Tensor, *others: Any) -> torch.Tensor:
            *before, _, window = others
            return usual(query, *before, torch.tensor([0, query.shape[2]]), window)

        monkeypatch.setattr(packed_attention, "_side_by_side", one_document)
        monkeypatch.setattr(varlen_attention, "_dropout_fault", lambda device: None)
        # What is asked of a number is answered on the host: there all are finite.
        for module in (best, optimization):
            monkeypatch.setattr(module, "all_finite", lambda networks: True)
        monkeypatch.setattr(torch, "isfinite", lambda tensor: torch.ones(tensor.shape, dtype=torch.bool))
        monkeypatch.setattr(torch.Tensor, "isfinite", lambda tensor: torch.ones(tensor.shape, dtype=torch.bool))
        monkeypatch.setattr(torch.Tensor, "erfinv_", lambda self: self)  # a kernel that is made when it is asked for
        monkeypatch.setattr(GenerationMixin, "_has_unfinished_sequences", lambda *_, **__: False)  # never full


@pytest.fixture(name="run")
def run_fixture() -> Callable[..., Any]:
    """Runs a command of the real command line on the device, or on the one that is named."""

    def run(*args: Any, accelerator: str = ACCELERATOR) -> Any:
        fixed = (f"--trainer.accelerator={accelerator}", "--trainer.devices=1", "--trainer.enable_progress_bar=false")
        return main([*map(str, args), *fixed])

    return run
