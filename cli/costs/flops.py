"""What a network computes, counted once on its architecture: FLOPs of matrix products, by what they grow with."""

from __future__ import annotations

import copy
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

LENGTHS = (32, 64, 96)
"""At which networks are counted: short, as the counts grow with the lengths and their products and nothing else."""


@dataclass(frozen=True)
class Cost:
    """FLOPs of one forward pass; attention counts all pairs, also those that a causal mask hides (arXiv 2204.02311).

    Args:
        source: for each token of the input.
        source_pair: for each pair of them that attend to each other.
        target: for each token that a decoder behind an encoder reads.
        target_pair: for each pair of those.
        cross: for each pair of one and the other.
        head: for each position that the vocabulary is predicted at.
    """

    source: float
    source_pair: float
    target: float = 0.0
    target_pair: float = 0.0
    cross: float = 0.0
    head: float = 0.0

    def of(
        self,
        source: float,
        source_pairs: float,
        target: float = 0.0,
        target_pairs: float = 0.0,
        cross: float = 0.0,
        heads: float = 0.0,
    ) -> float:
        """Return the FLOPs of so many of each."""
        sizes = (source, source_pairs, target, target_pairs, cross, heads)
        return float(sum(cost * size for cost, size in zip(astuple(self), sizes, strict=True)))


def forward_cost(network: nn.Module) -> Cost:
    """Count a Hugging Face network by running its twin without weights (on the meta device).

    Args:
        network: anywhere; it is not touched. Adapters are not counted.
    """
    config: Any = copy.deepcopy(network.config)
    config._attn_implementation = "eager"
    plain: Any = network
    try:
        with torch.device("meta"):
            twin = type(plain)(config).eval()
            return _encoder_decoder(twin) if config.is_encoder_decoder else _single(twin)
    except Exception:  # an architecture that looks at its data, such as DeBERTa or a mixture of experts
        return _by_parameters(plain)


def _count(network: Any, *lengths: int) -> float:
    names = ("input_ids", "decoder_input_ids")
    inputs: Any = {name: torch.zeros(1, length, dtype=torch.long) for name, length in zip(names, lengths, strict=False)}
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(**inputs)
    return float(counter.get_total_flops())


def _vocabulary_head(network: Any) -> float:
    head = network.get_output_embeddings()
    return 2.0 * head.weight.numel() if head is not None else 0.0


def _single(network: Any) -> Cost:
    body = network.base_model
    counts = [_count(body, length) for length in LENGTHS]
    pair, token, _ = np.polyfit(LENGTHS, counts, 2)  # what is left is a pooler, once for each row
    has_head = network.get_output_embeddings() is not None and body is not network
    head = (_count(network, LENGTHS[0]) - counts[0]) / LENGTHS[0] if has_head else 0.0
    return Cost(round(float(token), 3), round(float(pair), 3), head=head)


def _encoder_decoder(network: Any) -> Cost:
    a, b, _ = LENGTHS
    head = _vocabulary_head(network)
    sizes = [(a, a), (b, a), (a, b), (b, b), (2 * b, a)]
    counts = [_count(network, s, t) - head * t for s, t in sizes]
    terms = [[s, s * s, t, t * t, s * t] for s, t in sizes]
    costs = np.linalg.solve(np.array(terms, np.float64), np.array(counts, np.float64))
    source, source_pair, target, target_pair, cross = (round(float(value), 3) for value in costs)
    return Cost(source, source_pair, target, target_pair, cross, head)


def _by_parameters(network: Any) -> Cost:
    """Twice the matrices, and attention of the size that the configuration says."""
    body, config = network.base_model, network.config
    embeddings = {id(m.weight) for m in body.modules() if isinstance(m, nn.Embedding)}
    matrices = sum(p.numel() for p in body.parameters() if p.ndim > 1 and id(p) not in embeddings)
    layers, width = getattr(config, "num_hidden_layers", 1), getattr(config, "hidden_size", 1)
    return Cost(2.0 * matrices, 4.0 * layers * width, head=_vocabulary_head(network))


def training_factor(network: nn.Module) -> float:
    """Return how many forward passes a step costs: 3 where all learns; less where weights need no gradient.

    Backward computes the gradient of what goes in, and that of the matrices; below the lowest matrix that learns it
    computes neither.
    """
    matrices = [p for name, p in network.named_parameters() if p.ndim > 1 and "embed" not in name]
    whole = sum(p.numel() for p in matrices)
    if not whole:
        return 3.0
    first = next((i for i, p in enumerate(matrices) if p.requires_grad), None)
    embeddings = any(p.requires_grad for name, p in network.named_parameters() if "embed" in name)
    if first is None and not embeddings:
        return 1.0
    passed = whole if embeddings else sum(p.numel() for p in matrices[first:])
    learned = sum(p.numel() for p in matrices if p.requires_grad)
    return 1.0 + passed / whole + learned / whole
