"""A graph that onnxruntime runs, also in the place of the network that it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .rows import plain_rows


class Session:
    """Runs a graph on the CPU, with as many threads as torch has.

    Args:
        path: of the ONNX file.
    """

    def __init__(self, path: Path) -> None:
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors alone
        self.runtime = InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.inputs: list[str] = [each.name for each in self.runtime.get_inputs()]
        self.outputs: list[str] = [each.name for each in self.runtime.get_outputs()]

    def __call__(self, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the outputs by name, float32.

        Args:
            rows: int64 tensors by name, all of the graph's inputs.
        """
        arrays = self.run({name: rows[name].numpy() for name in self.inputs})
        return {name: torch.from_numpy(array) for name, array in zip(self.outputs, arrays, strict=True)}

    def run(self, arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Return the outputs in their order; nothing is converted."""
        found: list[np.ndarray] = self.runtime.run(None, dict(arrays))
        return found


@contextmanager
def standing_in(network: Any, session: Session) -> Iterator[None]:
    """Have a graph compute what a network is asked, while active.

    Args:
        network: of transformers; its own `forward` is back afterwards.
        session: of a graph that was made from it.
    """

    def forward(**given: Any) -> SimpleNamespace:
        return SimpleNamespace(**session(plain_rows(given, session.inputs)))

    network.forward = forward
    try:
        yield
    finally:
        del network.forward
