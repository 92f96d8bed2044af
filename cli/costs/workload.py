"""What a step of a module computes, as far as its options tell: rows, their lengths, and where words are predicted."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from ...contracts import ModuleFacts, data_facts, is_defined, module_facts, set_length
from ...errors import InputError
from ...modules.backbone.positions import max_positions
from ...modules.backbone.vocabulary import padded_size
from ...text.tokenizer import load_tokenizer

LABELS = 2
"""Labels where only the data know; the head that predicts them is small."""


@dataclass(frozen=True)
class Workload:
    """The step of one device.

    Args:
        rows: that a network reads at once.
        length: of each in tokens, as the datamodule gives it.
        source: the same as the network reads it, after corruption.
        target: tokens that a decoder beside an encoder reads for each row; 0 without one.
        heads: places of all rows at which the vocabulary is predicted.
        padded: whether rows are padded, so that attention gets a mask.
    """

    rows: int
    length: int
    source: int
    target: int
    heads: int
    padded: bool


def workload(module: Any, data: Any, config: Any) -> Workload:
    """Return what a step computes, every row of the full length.

    Args:
        module: an objective or a task, prepared.
        data: its datamodule, not set up.
        config: of the backbone.

    Raises:
        InputError: if rows are too short for a token to follow another.
    """
    length, rows = _length(data, config), data.batch_size
    if data.tokens_per_batch:
        rows = max(1, data.tokens_per_batch // length)
    row = module_facts(module).row_work(length, data, config)
    rows *= row.inputs
    # The decoder of a classifier reads the text once more.
    target = row.target or (row.source if config.is_encoder_decoder else 0)
    return Workload(rows, length, row.source, target, round(rows * row.predicted), row.padded)


def _length(data: Any, config: Any) -> int:
    """Return the length that rows are cut to: as it is set, else as the datamodule finds it, once it was introduced."""
    return set_length(data) or data_facts(data).longest or min(512, max_positions(config) or 512)


def _introduce(module: Any, data: Any) -> None:
    """Give a datamodule that finds the length of rows what it asks in training: the module, and its tokenizer."""
    data.trainer = SimpleNamespace(lightning_module=module)
    if isinstance(data.tokenizer_spec, str):
        data.tokenizer = load_tokenizer(data.tokenizer_spec)
    elif data.tokenizer_spec is None and module.backbone.name is not None:
        data.tokenizer = module.backbone.load_tokenizer()


def prepare(module: Any, data: Any) -> Any:
    """Give a module what it asks of data, without reading any.

    Args:
        module: an objective or a task, not built.
        data: its datamodule, not set up.

    Returns:
        The configuration of its backbone.

    Raises:
        InputError: if the backbone cannot be trained like this.
    """
    spec = data.tokenizer_spec
    scratch = module.backbone.name is None
    trained = getattr(spec, "vocab_size", None)
    own = data_facts(data).own_tokenizer() if scratch else None
    named = (isinstance(spec, str) or own is not None) and scratch
    module.tokenizer = own or (load_tokenizer(spec) if named else _stand_in())
    known = len(module.tokenizer)
    if is_defined(module_facts(module), ModuleFacts.known_labels):
        module.labels = module.known_labels(True) or [f"label {i}" for i in range(LABELS)]
        if module.problem == "regression":
            module.labels = ["score"]
    config = module.backbone.load_config(module.tokenizer if named else None)
    if scratch and trained and "vocab_size" not in (module.backbone.config or {}):
        config.vocab_size = padded_size(trained)
    module.prepare(None)
    if set_length(data) is None:
        _introduce(module, data)
    module.check_backbone(config)
    module.check_tokenizer(module.tokenizer)
    if scratch and config.vocab_size < (added := (trained or known) + len(module.tokenizer) - known):
        config.vocab_size = padded_size(added)  # sentinels
    limit, length = max_positions(config), _length(data, config)
    if limit is not None and length > limit:
        raise InputError(
            f"data.{data.length_option} is {length}, but {module.backbone.label} takes at most {limit} tokens: set "
            f"data.{data.length_option} to at most {limit}"
            + (" or raise backbone.config.max_position_embeddings." if scratch else ".")
        )
    for name, value in module.head_options().items():
        setattr(config, name, value)
    return config


def _stand_in() -> Any:
    """Return a tokenizer that knows no word, for modules that ask which special tokens there are."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    names = ["unk_token", "pad_token", "cls_token", "sep_token", "mask_token", "bos_token", "eos_token"]
    special = {name: f"[{name}]" for name in names}
    ids = {token: number for number, token in enumerate(special.values())}
    tokenizer = Tokenizer(WordLevel(ids, unk_token="[unk_token]"))
    begin, end = "[cls_token]", "[sep_token]"
    tokenizer.post_processor = TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} $B:1 {end}:1",
        special_tokens=[(token, ids[token]) for token in (begin, end)],
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
