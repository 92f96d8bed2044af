"""A network as an ONNX graph, by torch's exporter: any number of rows, of any length."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ...errors import InputError, first_line
from ..backbone.adapters import merge_adapters
from .rows import made_up_rows

if TYPE_CHECKING:
    from ..base import BaseModule

NOISY = ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")
"""Loggers of libraries that tell of each step."""


def whole_network(module: BaseModule) -> Any:
    """Return a module's network for evaluation, adapters merged into it.

    Raises:
        InputError: if they cannot be merged.
    """
    if not module.backbone.adapters:
        return module.model.eval()
    try:
        return merge_adapters(module.model).eval()
    except NotImplementedError as error:
        raise InputError(
            f"These adapters cannot be merged into the network, and a graph is whole ({first_line(error)}): "
            "--format adapters would work."
        ) from error


def input_names(module: BaseModule) -> list[str]:
    """Return the names of what a module's network is given for padded rows, in the order of its graph.

    A classifier that is an encoder-decoder makes the input of its decoder itself.
    """
    ids = torch.zeros(1, 1, dtype=torch.int64)
    offered = {"input_ids": ids, "attention_mask": ids, "token_type_ids": ids}
    names = [name for name, value in module.network_inputs(offered).items() if isinstance(value, Tensor)]
    writes = module.auto_class == "AutoModelForSeq2SeqLM"
    return [*names, "decoder_input_ids"] if writes else names


def write_graph(module: BaseModule, network: Any, path: Path) -> list[str]:
    """Write a network as ONNX.

    Args:
        module: that it is of; a built one with a tokenizer.
        network: from `whole_network`, on the CPU.
        path: of the file; weights of more than 2 GB lie beside it.

    Returns:
        The names of the graph's outputs.

    Raises:
        InputError: if the network cannot be carried.
    """
    names, rows = input_names(module), made_up_rows(module)
    rows.setdefault("token_type_ids", torch.zeros_like(rows["input_ids"]))
    inputs = [rows[name] for name in names]
    graph = _Graph(network, names)
    try:
        with torch.no_grad(), _plain_attention(network), _silent():
            graph.outputs = list(logits_of(network(**dict(zip(names, inputs, strict=True)), **graph.options)))
            program: Any = torch.onnx.export(
                graph,
                tuple(inputs),
                dynamo=True,
                dynamic_shapes={
                    "inputs": tuple(_axes(name, tensor) for name, tensor in zip(names, inputs, strict=True))
                },
                input_names=names,
                output_names=graph.outputs,
                verbose=False,
            )
            program.save(path, external_data=_size(network) > MOST_IN_ONE_FILE)
    except Exception as error:  # of torch's exporter, of its converter, and of whatever code of a network they run
        raise InputError(
            f"ONNX cannot carry {type(network).__name__}, the network of this {type(module).__name__}: {_cause(error)} "
            "--format safetensors would work."
        ) from error
    return graph.outputs


MOST_IN_ONE_FILE = 1_900_000_000
"""Bytes: what protobuf reads ends at 2 GB."""


def logits_of(output: Any) -> dict[str, Tensor]:
    """Return what a head says of its inputs, by name: `logits`, `start_logits`, ..."""
    return {name: value for name, value in output.items() if isinstance(value, Tensor) and name.endswith("logits")}


class _Graph(nn.Module):
    """A network with tensors for arguments and for results."""

    def __init__(self, network: Any, names: Sequence[str]) -> None:
        super().__init__()
        self.network: Any = network
        self.names = list(names)
        self.outputs: list[str] = []
        takes_cache = "use_cache" in inspect.signature(type(network).forward).parameters
        self.options: dict[str, Any] = {"use_cache": False} if takes_cache else {}

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        found = self.network(**dict(zip(self.names, inputs, strict=True)), **self.options)
        return tuple(found[name] for name in self.outputs)


def _axes(name: str, tensor: Tensor) -> dict[int, str]:
    """Return the names of the dimensions, all of which may change."""
    last = "target_length" if name == "decoder_input_ids" else "length"
    return dict(enumerate(["rows", *["choices"] * (tensor.ndim - 2), last]))


@contextmanager
def _plain_attention(network: Any) -> Iterator[None]:
    """Compute attention by products of matrices: what a kernel returns has strides that T5's graph cannot follow."""
    own = network.config._attn_implementation
    network.set_attn_implementation("eager")
    try:
        yield
    finally:
        network.set_attn_implementation(own)


@contextmanager
def _silent() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in NOISY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _size(network: Any) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())


def _cause(error: BaseException) -> str:
    """Return what lies at the bottom of an error, in a sentence."""
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    told = first_line(error)[:300]
    return f"{type(error).__name__}: {told}" + ("" if told.endswith(".") else ".")
