"""Which architectures an objective can train: encoders, decoders, or encoder-decoders.

Each check raises an `InputError` of one sentence before any weight is made, and says what would work.
"""

from __future__ import annotations

from typing import Any

from ...errors import InputError

ENCODERS = "bert, roberta, modernbert, deberta-v2, electra"
DECODERS = "gpt2, llama, qwen3, mistral"
BOTH = "t5, bart, mbart, pegasus"


def family(config: Any) -> str:
    """`encoder`, `decoder`, `encoder-decoder`, or `other`, by a Hugging Face configuration."""
    from transformers.models.auto import modeling_auto as auto

    if getattr(config, "is_encoder_decoder", False):
        return "encoder-decoder"
    if type(config) in auto.MODEL_FOR_MASKED_LM_MAPPING:
        return "decoder" if getattr(config, "is_decoder", False) else "encoder"
    return "decoder" if type(config) in auto.MODEL_FOR_CAUSAL_LM_MAPPING else "other"


def require_encoder(config: Any, label: str, objective: str) -> None:
    """Refuses what does not read both sides of a token."""
    found = family(config)
    if found == "encoder":
        return
    trains = {"decoder": "CausalLanguageModeling", "encoder-decoder": "SpanDenoising"}.get(found)
    raise InputError(
        f"{objective} needs an encoder, such as {ENCODERS}, but {label} is a {config.model_type}, "
        + (f"a {found}, which {trains} trains." if trains else "which has no language-modelling head.")
    )


def require_decoder(config: Any, label: str) -> None:
    """Refuses what does not read from left to right."""
    found = family(config)
    if found == "decoder":
        return
    trains = {"encoder": "MaskedLanguageModeling", "encoder-decoder": "SpanDenoising"}.get(found)
    raise InputError(
        f"Causal language modelling needs a decoder, such as {DECODERS}, but {label} is a {config.model_type}, "
        + (f"an {found}, which {trains} trains." if trains else "which has no language-modelling head.")
    )


def require_encoder_decoder(config: Any, label: str) -> None:
    """Refuses what has no separate encoder and decoder."""
    found = family(config)
    if found == "encoder-decoder":
        return
    trains = {"encoder": "MaskedLanguageModeling", "decoder": "CausalLanguageModeling"}.get(found)
    raise InputError(
        f"Span denoising needs an encoder-decoder, such as {BOTH}, but {label} is a {config.model_type}, "
        + (f"{'an' if found == 'encoder' else 'a'} {found}, which {trains} trains." if trains else "which has no head.")
    )
