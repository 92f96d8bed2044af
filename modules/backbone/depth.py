"""How deep in the network a parameter lies: what layer-wise learning rates, freezing and re-initializing need."""

from __future__ import annotations

from torch import nn


def layer_stacks(body: nn.Module) -> list[nn.ModuleList]:
    """Return the stacks of equal layers: one for encoders and decoders, two for encoder-decoders."""
    stacks: list[nn.ModuleList] = []
    inside: set[str] = set()
    for name, module in body.named_modules():
        if any(name.startswith(outer + ".") for outer in inside):
            continue  # a list within a layer is not a stack
        if isinstance(module, nn.ModuleList) and len(module) and len({type(layer) for layer in module}) == 1:
            stacks.append(module)
            inside.add(name)
    return stacks


def parameter_depths(model: nn.Module) -> tuple[dict[str, int], int]:
    """Return the depth of every parameter: 0 for embeddings, i + 1 for layer i, and the returned top for the head.

    Args:
        model: a Hugging Face network with a head.

    Returns:
        The depth by parameter name, and the depth of the head (the number of layers + 1).
    """
    body = getattr(model, "base_model", model)
    depth_of: dict[int, int] = {}
    stacks = layer_stacks(body)
    for stack in stacks:
        for index, layer in enumerate(stack):
            for parameter in layer.parameters():
                depth_of.setdefault(id(parameter), index + 1)
    top = max((len(stack) for stack in stacks), default=0) + 1
    depths: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        default = 0 if "embed" in name or ".wte." in name or ".wpe." in name or name.endswith("shared.weight") else top
        depths[name] = depth_of.get(id(parameter), default)
    return depths, top
