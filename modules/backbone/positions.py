"""Where an architecture begins to count positions, and where it must end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PretrainedConfig

OFFSET = {
    "roberta",
    "camembert",
    "xlm-roberta",
    "xlm-roberta-xl",
    "longformer",
    "data2vec-text",
    "roberta-prelayernorm",
    "xmod",
}
RELATIVE = {"t5", "mt5", "umt5", "longt5", "deberta", "deberta-v2", "xlnet", "bloom", "mpt", "pegasus"}


def first_position(config: PretrainedConfig) -> int:
    """The number of the first position: the RoBERTa family counts from padding_idx + 1."""
    return (config.pad_token_id or 0) + 1 if config.model_type in OFFSET else 0


def max_positions(config: PretrainedConfig) -> int | None:
    """The longest input in tokens that the architecture's position table allows, or None when nothing bounds it."""
    limit = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    if limit is None or config.model_type in RELATIVE:
        return None
    return int(limit) - first_position(config)
