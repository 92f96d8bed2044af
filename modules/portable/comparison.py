"""Whether a graph computes what its network does, and how long both take."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor

from .graph import logits_of
from .rows import SOURCE, smaller_rows
from .session import Session

INFINITE = float("inf")
LEAST_RUNS, MOST_RUNS, SECONDS = 5, 200, 2.0
"""How often a latency is measured at least and at most, and how long one goes on."""


@dataclass(frozen=True)
class Difference:
    """How far a graph's outputs are from those of its network.

    Args:
        largest: absolute; infinite where either is no number or the shapes differ.
        share: of the largest output.
        rows: how many were compared.
        shapes: of the inputs, in words.
    """

    largest: float
    share: float
    rows: int
    shapes: tuple[str, ...]


def difference(network: Any, session: Session, batches: Iterable[Mapping[str, Tensor]]) -> Difference:
    """Compare outputs on batches, and on parts of each that are smaller and shorter; padding is left out.

    Args:
        network: in evaluation, on the CPU.
        session: of the graph.
        batches: int64 tensors by the names of the graph's inputs.
    """
    away, most, rows, shapes = 0.0, 0.0, 0, []
    for batch in batches:
        rows += len(batch["input_ids"])
        for part in (batch, *smaller_rows(batch)):
            shapes.append(" x ".join(map(str, part["input_ids"].shape)))
            theirs, mask = session(part), part["attention_mask"].bool()
            for name, mine in outputs_of(network, part).items():
                distance, largest = _distance(mine, theirs[name], mask)
                away, most = max(away, distance), max(most, largest)
    return Difference(away, away / max(most, 1e-6), rows, tuple(dict.fromkeys(shapes)))


def outputs_of(network: Any, rows: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what a network says of rows, by name, float32."""
    with torch.no_grad():
        return {name: value.float() for name, value in logits_of(network(**rows)).items()}


def _distance(mine: Tensor, theirs: Tensor, mask: Tensor) -> tuple[float, float]:
    """Return the largest difference and the largest output; padding and infinities that are the same are left out."""
    if mine.shape != theirs.shape:
        return INFINITE, 1.0
    if mine.shape[: mask.ndim] == mask.shape:
        mine, theirs = mine[mask], theirs[mask]
    away = (mine - theirs).abs().nan_to_num(INFINITE, posinf=INFINITE).masked_fill(mine == theirs, 0.0)
    finite = mine.abs()[mine.isfinite()]
    return float(away.max()), float(finite.max()) if finite.numel() else 1.0


# ---------------------------------------------------------------------- latency


def latencies(computing: Mapping[str, Callable[[], Any]], seconds: float = SECONDS) -> dict[str, float]:
    """Return how long each of several computations takes, in seconds: the median.

    They take turns, so that what else the machine does slows all alike.

    Args:
        computing: the computations by name.
        seconds: for all of them together; each is done a few times in any case.
    """
    for compute in computing.values():
        compute()  # the first one plans
    taken: dict[str, list[float]] = {name: [] for name in computing}
    end, runs = time.perf_counter() + seconds, 0
    while runs < LEAST_RUNS or (runs < MOST_RUNS and time.perf_counter() < end):
        runs += 1
        for name, compute in computing.items():
            begun = time.perf_counter()
            compute()
            taken[name].append(time.perf_counter() - begun)
    return {name: median(times) for name, times in taken.items()}


def by_network(network: Any, rows: Mapping[str, Tensor]) -> Callable[[], Any]:
    """Return the computation of rows by torch."""

    def compute() -> Any:
        with torch.inference_mode():
            return network(**rows)

    return compute


def by_session(session: Session, rows: Mapping[str, Tensor]) -> Callable[[], Any]:
    """Return the computation of rows by onnxruntime."""
    arrays = {name: rows[name].numpy() for name in session.inputs}
    return lambda: session.run(arrays)


def joined(
    batches: Sequence[Mapping[str, Tensor]], owners: Sequence[Sequence[int]], most: int
) -> tuple[dict[str, Tensor], int]:
    """Return the first rows of batches as one, filled up to the longest of them, and how many rows of data these are.

    Args:
        batches: of one kind, padded on one side with masked tokens.
        owners: of each batch the row of the data that each of its rows belongs to, such as that of an ending.
        most: rows of the data.
    """
    choices = [batch["input_ids"].shape[1:-1] for batch in batches]
    alike = [(batches[n], owners[n]) for n, count in enumerate(choices) if count == max(choices)]
    chosen = list(dict.fromkeys(owner for _, of in alike for owner in of))[:most]
    picked = [torch.tensor([owner in set(chosen) for owner in of]) for _, of in alike]
    found: dict[str, Tensor] = {}
    for name in batches[0]:
        parts = [batch[name][pick] for (batch, _), pick in zip(alike, picked, strict=True)]
        longest = max(part.shape[-1] for part in parts)
        found[name] = torch.cat([torch.nn.functional.pad(part, (0, longest - part.shape[-1])) for part in parts])
    real = found["attention_mask"].flatten(0, -2).any(0).nonzero()
    last = int(real[-1]) + 1 if len(real) else 1
    rows = {name: values[..., :last] if name in SOURCE else values for name, values in found.items()}
    return rows, len(chosen)


def owners_of(batch: Mapping[str, Tensor], before: int) -> list[int]:
    """Return the row of the data that each row belongs to which a network is given of a batch.

    Args:
        batch: of rows, of windows of them (`example`), or of endings: (rows, choices, length).
        before: rows in the batches before it.
    """
    ids = batch["input_ids"]
    if ids.ndim == 3:
        counts = batch["choice_mask"].sum(1) if "choice_mask" in batch else torch.full((len(ids),), ids.shape[1])
        return (before + torch.arange(len(ids)).repeat_interleave(counts)).tolist()
    if "example" in batch:
        return batch["example"].tolist()
    return list(range(before, before + len(ids)))
