"""What is known of a module before its network is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .backbone.architecture import config_from_json

if TYPE_CHECKING:
    from .network import NetworkModule


def find_out(module: NetworkModule) -> Any:
    """Find tokenizer and labels, and refuse what cannot be trained together.

    Args:
        module: that is not built.

    Returns:
        The configuration of a checkpoint that is to be restored; None where there is none.

    Raises:
        InputError: if something needed is neither given nor to be had from a datamodule.
    """
    module.prepare(module.datamodule)
    config = None if module.stored is None else config_from_json(module.stored.config)
    module.check_backbone(config or module.backbone.load_config(module.tokenizer))
    module.check_tokenizer(module.tokenizer)
    module.check_length()
    return config


def architecture(module: NetworkModule) -> Any:
    """Return the configuration of a module's network, which may not be built so far."""
    if module.model is not None:
        return module.model.config
    stored = module.stored
    return config_from_json(stored.config) if stored is not None else module.backbone.load_config(module.tokenizer)
