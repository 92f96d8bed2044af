"""Networks divided over devices, layer by layer (FSDP2, `torch.distributed.fsdp.fully_shard`; arXiv 2304.11277)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from lightning.fabric.utilities.apply_func import apply_to_collection
from torch import Tensor, nn
from torch.optim import Optimizer

from ..errors import InputError
from .backbone.depth import layer_stacks


def shard(networks: Sequence[nn.Module], mesh: Any, device: torch.device, half: bool = False) -> None:
    """Divide the parameters of each layer, and of what is around the layers, over all processes.

    Each computes what it would have computed whole; a layer is put together while it is needed. All begin with the
    weights of the first process.

    Args:
        networks: as built, the same in each process.
        mesh: a `DeviceMesh` of one dimension.
        device: of this process.
        half: put layers together in bfloat16, as autocast would have them: else it would keep a copy of every layer.
            Gradients are added up in float32.

    Raises:
        InputError: if two networks share parameters.
    """
    from torch.distributed import broadcast
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32) if half else MixedPrecisionPolicy()
    owned = [{id(parameter) for parameter in network.parameters()} for network in networks]
    if len(set().union(*owned)) < sum(map(len, owned)):
        raise InputError(
            "Two networks that share parameters cannot be divided over devices: model.share_embeddings: false would "
            "work, or trainer.strategy: ddp."
        )
    for network in networks:
        for tensor in (*network.parameters(), *network.buffers()):
            of_first = tensor.detach().to(device).contiguous()
            broadcast(of_first, 0, group=mesh.get_group())
            tensor.data.copy_(of_first)
        for stack in layer_stacks(getattr(network, "base_model", network)):
            for layer in stack:
                fully_shard(layer, mesh=mesh, mp_policy=policy)
        fully_shard(network, mesh=mesh, mp_policy=policy)


def is_sharded(network: nn.Module) -> bool:
    """Return whether a network is divided over devices."""
    from torch.distributed.tensor import DTensor

    return any(isinstance(parameter, DTensor) for parameter in network.parameters())


def whole_state(network: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a divided network, whole, on the CPU of the first process; all processes must ask for them.

    Tied weights come once, as in files of transformers.
    """
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

    state: dict[str, Any] = get_model_state_dict(
        network, options=StateDictOptions(full_state_dict=True, cpu_offload=True)
    )
    once = {name for named in (network.named_parameters(), network.named_buffers()) for name, _ in named}
    return {name: tensor for name, tensor in state.items() if name in once}


def load_whole(network: nn.Module, state: dict[str, Any]) -> None:
    """Load whole weights, given in each process, into a network that may be divided."""
    if not is_sharded(network):
        network.load_state_dict(state)
        return
    from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
    from torch.distributed.fsdp import FSDPModule

    for module in network.modules():
        if isinstance(module, FSDPModule):
            module.reshard()  # what computed last may still be whole
    set_model_state_dict(network, state, options=StateDictOptions(full_state_dict=True))


def whole_optimizer_state(optimizer: Optimizer) -> dict[str, Any]:
    """Return an optimizer's `state_dict` as if nothing were divided; all processes must ask for it.

    torch's own (`get_optimizer_state_dict`) goes by names, and no other strategy could go on from it. Only the first
    process, which writes, keeps the tensors.
    """
    from torch.distributed import get_rank
    from torch.distributed.tensor import DTensor

    def whole(part: Any) -> Tensor:
        tensor: Tensor = part.full_tensor()
        return tensor.new_empty(0) if get_rank() else tensor.cpu()

    state: dict[str, Any] = apply_to_collection(optimizer.state_dict(), DTensor, whole)
    return state


def load_optimizer_state(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Load what `whole_optimizer_state` gave, in each process, into an optimizer whose parameters may be divided."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    numbers = [number for group in state["param_groups"] for number in group["params"]]

    def part(value: Any, parameter: Tensor) -> Any:
        if not isinstance(value, Tensor) or not isinstance(parameter, DTensor) or value.shape != parameter.shape:
            return value
        return distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)

    divided = {
        number: {name: part(value, parameter) for name, value in state["state"].get(number, {}).items()}
        for number, parameter in zip(numbers, parameters, strict=True)
    }
    optimizer.load_state_dict({**state, "state": divided})
