"""The memory of a training step, by running it on shapes alone: forward, loss and backward of the very networks."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from ...modules.backbone.families import family
from ...modules.losses import vocabulary as vocabulary_loss
from ...modules.losses.vocabulary import CPU_PIECE, GPU_PIECE
from ...modules.objectives.masked import recovered
from ...modules.optimization.optimizers import parameter_groups
from ...modules.shortcuts.dropout import use_fast_dropout
from ...modules.shortcuts.gpu_kernels import as_on_a_gpu
from ...modules.shortcuts.packed_attention import prefer_own_attention
from ...modules.shortcuts.sparse_head import only_inputs, only_positions
from .workload import Workload

PARTS = ("weights", "gradients", "optimizer", "copies for autocast", "activations", "logits")
Plan = Mapping[str, float]
"""The share of each part that one device holds."""


class Ledger(TorchDispatchMode):
    """Counts the storages that are alive while it is active, by part, and keeps the largest sums.

    Args:
        weights: those that are there already; their casts are copies for autocast.
        words: the size of the vocabulary; what has so many columns is logits.
        plans: by name; the peak of each is kept.
    """

    def __init__(self, weights: Sequence[Tensor], words: int, plans: Mapping[str, Plan]) -> None:
        super().__init__()
        self.held = dict.fromkeys(PARTS, 0.0)
        self.peaks = {name: dict(self.held) for name in plans}
        self._plans, self._words = plans, words
        self._most = dict.fromkeys(plans, -1.0)
        self._weights = {weight.untyped_storage()._cdata for weight in weights}
        self._seen: dict[int, tuple[Any, str, int]] = {}

    def add(self, tensor: Tensor, part: str) -> None:
        """Count the storage of a tensor, or move it to another part."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._weights:
            return
        if key in self._seen:
            reference, before, _ = self._seen[key]
            self.held[before] -= size
        else:
            reference = weakref.ref(storage, lambda _: self._drop(key))
        self._seen[key] = (reference, part, size)
        self.held[part] += size
        self._compare()

    def extra(self, size: float, part: str) -> None:
        """Count bytes that no operation here holds, at this moment alone."""
        self.held[part] += size
        self._compare()
        self.held[part] -= size

    def _drop(self, key: int) -> None:
        _, part, size = self._seen.pop(key)
        self.held[part] -= size

    def _compare(self) -> None:
        for name, plan in self._plans.items():
            size = sum(plan[part] * held for part, held in self.held.items())
            if size > self._most[name]:
                self._most[name], self.peaks[name] = size, dict(self.held)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count what an operation makes."""
        output = func(*args, **(kwargs or {}))
        for tensor in tree_iter(output):
            if isinstance(tensor, Tensor) and tensor.untyped_storage()._cdata not in self._seen:
                self.add(tensor, self._part(func, args, tensor))
        return output

    def _part(self, func: Any, args: Any, made: Tensor) -> str:
        if func is torch.ops.aten._to_copy.default and args[0].untyped_storage()._cdata in self._weights:
            return "copies for autocast"
        words = made.ndim > 1 and made.shape[-1] == self._words and made.shape[-2] != made.shape[-1]
        return "logits" if words else "activations"


def step_memory(
    build: Callable[[torch.dtype], list[Any]],
    work: Workload,
    precision: str,
    optimizer: str,
    plans: Callable[[list[Any]], Mapping[str, Plan]],
    *,
    passes: int = 1,
    accumulates: bool = False,
    gpu: bool = False,
) -> tuple[dict[str, dict[str, float]], list[Any]]:
    """Return the bytes of each part at the moment when most is held.

    Lightning frees the gradients of the last step between the forward and the backward pass: until then they are there.

    Args:
        build: makes the networks, of a dtype; a generator comes after its discriminator.
        work: what a step computes.
        precision: the trainer's.
        optimizer: `adamw`, `muon` or `sgd`.
        plans: takes the networks to the share of each part on a device, by name.
        passes: forward passes before the backward pass.
        accumulates: whether gradients are kept from batch to batch.
        gpu: whether it computes as a GPU does, or as the CPU.

    Returns:
        By plan the bytes of each part, whole, before they are shared out; and the networks, of shapes alone.
    """
    known = {"bf16": torch.bfloat16, "16": torch.float16, "64": torch.float64}
    dtype = known.get(precision.partition("-")[0])
    mixed = precision.endswith("mixed") and dtype is not None
    with torch.device("meta"):
        networks: list[nn.Module] = [n.train() for n in build((not mixed and dtype) or torch.float32)]
    with FakeTensorMode(allow_non_fake_inputs=True), torch.device("cpu"), ExitStack() as stack:
        _fill(networks)
        for network in networks if not gpu else []:
            prefer_own_attention(network)
            use_fast_dropout(network)
        held = list({id(t): t for n in networks for t in (*n.parameters(), *n.buffers())}.values())
        learning = [t for t in held if isinstance(t, nn.Parameter) and t.requires_grad]
        words = max(getattr(network.config, "vocab_size", 0) for network in networks)
        ledger = Ledger(held, words, plans(networks))
        ledger.held["weights"] = float(sum(t.nbytes for t in held))
        state, scratch = optimizer_bytes(optimizer, networks, fused=precision != "16-mixed", gpu=gpu)
        ledger.held["optimizer"] = float(state)
        for parameter in learning:
            parameter.grad = torch.zeros_like(parameter)
            ledger.add(parameter.grad, "gradients")
            parameter.register_post_accumulate_grad_hook(lambda p: ledger.add(p.grad, "gradients"))
        stack.enter_context(ledger)
        if gpu:
            stack.enter_context(as_on_a_gpu(mixed))
        with torch.autocast("cpu", dtype=dtype if mixed else torch.bfloat16, enabled=mixed):
            loss = sum(_forward(network, work, gpu) for _ in range(passes) for network in reversed(networks))
        if not accumulates:
            for parameter in learning:
                parameter.grad = None
        if isinstance(loss, Tensor) and loss.requires_grad:
            loss.backward()
        del loss
        ledger.extra(scratch, "optimizer")
    return ledger.peaks, networks


def _fill(networks: list[nn.Module]) -> None:
    """Put parameters and buffers of the same shapes on the CPU, where a `FakeTensorMode` gives them no memory."""
    made: dict[int, Any] = {}
    for module in {id(m): m for network in networks for m in network.modules()}.values():
        for own in (module._parameters, module._buffers):
            for name, old in own.items():
                if old is not None and id(old) not in made:
                    new = torch.empty_like(old, device="cpu")
                    learns = isinstance(old, nn.Parameter)
                    made[id(old)] = nn.Parameter(new, old.requires_grad) if learns else new
                if old is not None:
                    own[name] = made[id(old)]


def _forward(network: Any, work: Workload, gpu: bool) -> Tensor:
    """Return the loss of a network: cross entropy of words where it predicts them, otherwise a sum of what it says."""
    config, device = network.config, "cpu"
    ids = torch.zeros(work.rows, work.source, dtype=torch.long, device=device)
    inputs = {"input_ids": ids}
    if work.padded or config.is_encoder_decoder:
        inputs["attention_mask"] = torch.ones_like(ids)
    places = work.target or work.source
    if work.target:
        inputs["decoder_input_ids"] = ids.new_zeros(work.rows, work.target)
    head = network.get_output_embeddings()
    if head is None or not work.heads:
        if work.target and head is None:
            inputs.pop("decoder_input_ids")  # a classifier makes its own
        if type(network).__name__.endswith("MultipleChoice"):
            inputs = {name: value.unsqueeze(1) for name, value in inputs.items()}
        return _sum(network(**inputs))
    chosen = torch.arange(work.heads, device=device) % (work.rows * places)
    with only_positions(network.base_model, chosen) if family(config) == "encoder" else only_inputs(head, chosen):
        output = network(**inputs)
    logits = output.prediction_logits if hasattr(output, "prediction_logits") else output.logits
    # On a GPU what fits into one piece is computed plainly; on a CPU there are too many pieces to run each here.
    piece = GPU_PIECE if gpu else max(CPU_PIECE, logits.numel() // 64)
    with patch.object(vocabulary_loss, "CPU_PIECE", piece):
        loss = recovered(logits, chosen, plain=gpu and logits.numel() <= GPU_PIECE).loss
    others = [getattr(output, name, None) for name in ("seq_relationship_logits", "sop_logits")]
    return sum((other.float().sum() for other in others if other is not None), loss)


def _sum(output: Any) -> Tensor:
    logits = [output.logits] if hasattr(output, "logits") else [output.start_logits, output.end_logits]
    whole: Tensor = sum((each.float().sum() for each in logits), logits[0].new_zeros(()))
    return whole


def optimizer_bytes(name: str, networks: list[Any], fused: bool, gpu: bool) -> tuple[int, int]:
    """Return what an optimizer keeps for the parameters that learn, and what its step needs for a moment beside that.

    Args:
        name: `adamw`, `muon` or `sgd`.
        networks: of any device.
        fused: whether AdamW is.
        gpu: whether the parameters are there: then what is not fused computes all of them at once.
    """
    groups = parameter_groups(networks, 1.0, 0.0, 1.0)
    matrices = [p.nbytes for g in groups for p in g["params"] if name == "muon" and g["hidden"]]
    others = [p.nbytes for g in groups for p in g["params"] if name != "muon" or not g["hidden"]]
    at_once = sum(others) if gpu else max(others, default=0)
    if name == "sgd":
        return sum(others), at_once
    state = 2 * sum(others) + sum(matrices)
    if name == "adamw" and fused:
        return state, 0
    return state, max(2 * at_once, 3 * max(matrices, default=0))  # the latter to make a matrix orthogonal
