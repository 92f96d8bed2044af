"""A graph whose large matrices are whole numbers of eight bits (dynamic quantization, as onnxruntime does it)."""

from __future__ import annotations

import logging
from pathlib import Path


def quantize(path: Path, target: Path) -> None:
    """Write a graph with int8 weights; what they are multiplied by is rounded as it comes.

    A scale for each column, as columns of a trained matrix differ; products of two activations, as in attention, and
    norms stay in float32.

    Args:
        path: of the float32 graph.
        target: of the file that is written.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it recommends on the root logger what brings nothing here
    try:
        quantize_dynamic(
            path,
            target,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
    finally:
        logger.setLevel(level)
