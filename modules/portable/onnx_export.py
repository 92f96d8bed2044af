"""An ONNX export: a folder with a graph, a tokenizer and a script, checked against the network that it is of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch.utilities.rank_zero import rank_zero_warn
from torch import Tensor

from ...errors import InputError
from ...storage.whole_folders import final_name
from ..tasks.calibrated import CalibratedModule
from .comparison import Difference, difference
from .graph import write_graph
from .quantized import quantize
from .session import Session
from .settings import refuse_without_tokenizer, write_beside

if TYPE_CHECKING:
    from ..base import BaseModule

GRAPH = "model.onnx"
PLAIN = "float32.onnx"
"""The graph that a quantized one is made from; it does not stay."""
TOLERANCE = {"none": 1e-3, "int8": 0.5}
"""How far outputs may be from the network's, as a share of the largest. What rounding to int8 costs is a matter of the
score; half of the largest output is a graph that computes something else."""


def refuse_missing_packages() -> None:
    """Raise an `InputError` where the extra `onnx` is not installed."""
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"An ONNX export needs the package {missing[0]}, which is not installed: pip install 'pretune[onnx]' "
            "(onnx, onnxscript and onnxruntime)."
        )


def write_onnx(module: BaseModule, network: Any, folder: Path) -> Session:
    """Write graph, tokenizer, settings and script.

    Args:
        module: a built one, on the CPU.
        network: its network, from `graph.whole_network`.
        folder: that is there.

    Returns:
        The graph, run by onnxruntime.

    Raises:
        InputError: if ONNX cannot carry the network, or there is no fast tokenizer.
    """
    refuse_without_tokenizer(module)
    write_graph(module, network, folder / GRAPH)
    write_beside(module, folder)
    return Session(folder / GRAPH)


def replace_by_int8(folder: Path) -> Session:
    """Put an int8 graph in the place of the float32 one, which lies beside it afterwards under another name."""
    for path in sorted(folder.glob(f"{GRAPH}*")):
        if path.name != GRAPH:
            raise InputError("A network of more than 2 GB is not quantized: leave --quantize out.")
    (folder / GRAPH).rename(folder / PLAIN)
    quantize(folder / PLAIN, folder / GRAPH)
    return Session(folder / GRAPH)


def compare(
    network: Any, session: Session, batches: Sequence[dict[str, Tensor]], tolerance: float, folder: Path
) -> Difference:
    """Compare a graph's outputs with the network's.

    Args:
        network: in evaluation, on the CPU.
        session: of the graph.
        batches: rows, as the graph takes them.
        tolerance: share of the largest output.
        folder: of the graph, for messages.

    Raises:
        InputError: if they are further apart than that.
    """
    found = difference(network, session, batches)
    if not found.share <= tolerance:  # so said, it refuses nan
        raise InputError(
            f"The ONNX graph for {final_name(folder)} does not compute what the model does: outputs differ by "
            f"{found.share:.2g} of the largest, more than {tolerance:g}. Nothing was written; --format safetensors "
            "would work, or a higher --tolerance."
        )
    return found


@contextmanager
def exporting(module: Any) -> Iterator[None]:
    """Have a network's last layer hold the temperature that probabilities were calibrated by, while active."""
    with module.exporting() if isinstance(module, CalibratedModule) else nullcontext():
        yield


@contextmanager
def without_temperature(module: Any) -> Iterator[None]:
    """Have a module not divide by its temperature what comes divided from a graph, while active."""
    if not isinstance(module, CalibratedModule):
        yield
        return
    temperature = module.temperature
    module.temperature = 1.0
    try:
        yield
    finally:
        module.temperature = temperature


def warn_of_unwritten(module: BaseModule) -> None:
    """Say what `predict.py` does in another way than `predict`, where it does."""
    options = getattr(module, "generation", None)
    if not options:
        return
    named = {"num_beams": 1, "do_sample": False}
    other = [f"{name}: {options[name]}" for name, plain in named.items() if options.get(name, plain) != plain]
    if other:
        rank_zero_warn(
            f"predict.py writes the likeliest token each time, without {' and '.join(other)} of model.generation, and "
            "computes the whole row for each token."
        )
