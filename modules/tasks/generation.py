"""The base of the tasks that write text: Hugging Face's `generate`, what stops it, and adapters alone learning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torchmetrics import Metric

from ...errors import InputError
from ...text.tokenizer import pad_id
from ..backbone.adapters import is_adapter
from ..backbone.backbone import Backbone
from ..base import BaseModule
from ..batches.left_padding import left_padded
from ..metrics.basic import AccuracyPerTarget
from ..writing import SPELLED, check_generation, write_texts


class GeneratingModule(BaseModule):
    """The base of modules that learn to write, and do so in `predict`.

    With `backbone.lora` (or `adapter`) adapters alone are trained: unlike the head of a classifier, that of a language
    model is not new.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        generation: options of Hugging Face's `generate`; those not given are the backbone's own.
        **optimization: the options of every module: `learning_rate`, `weight_decay`, `schedule`, `warmup`, ...

    Raises:
        InputError: if `generation` holds an unknown option.
    """

    perplexity_of: str | None = ""
    may_score: tuple[str, ...] = ("accuracy",)

    def __init__(self, backbone: str | Backbone, generation: dict[str, Any] | None = None, **optimization: Any) -> None:
        super().__init__(backbone, **optimization)
        self.generation = dict(generation or {})
        check_generation(self.generation)

    def make_metrics(self, part: str) -> dict[str, Metric]:
        """Return the accuracy over target tokens."""
        return {"accuracy": AccuracyPerTarget()}

    # ------------------------------------------------------------------ building

    def finish(self) -> None:
        """Leave the head as it is where adapters learn; tell `generate`, here and in the export, when to stop."""
        if self.backbone.adapters and self._head_is_trained():
            _freeze_all_but_adapters(self.model)
        stops = self.stop_ids()
        if stops:
            self.model.generation_config.eos_token_id = stops if len(stops) > 1 else stops[0]
        self.model.generation_config.pad_token_id = self._pad_id()

    def blank_networks(self, network: Any, options: Mapping[str, Any]) -> list[Any]:
        """Return the network, of which adapters learn alone where its head comes with weights."""
        if self.backbone.adapters and self.backbone.name is not None:
            _freeze_all_but_adapters(network)
        return [network]

    def _head_is_trained(self) -> bool:
        if self.stored is not None:
            return self.stored.head_is_trained
        return self.weight_report is not None and not self.weight_report.head_is_new

    def describe(self) -> dict[str, Any]:
        """Return what the base says, and whether the head came with weights."""
        return {**super().describe(), "head_is_trained": self._head_is_trained()}

    def stop_ids(self) -> list[int]:
        """Return the tokens that end what is written: the backbone's, and the tokenizer's end of text."""
        stops = self.model.generation_config.eos_token_id
        known = [] if stops is None else [stops] if isinstance(stops, int) else list(stops)
        ends = (self.tokenizer.eos_token_id, self.tokenizer.sep_token_id)
        end_of_text = [token for token in ends if token is not None][:1]
        return list(dict.fromkeys([*end_of_text, *(known if self.backbone.name else [])]))

    def _pad_id(self) -> int:
        return pad_id(self.tokenizer)

    # ------------------------------------------------------------------ writing

    def write(self, ids: Tensor, mask: Tensor) -> list[str]:
        """Return the texts that the model writes.

        Args:
            ids: (rows, length) int64: prompts, or what an encoder reads; padded on either side.
            mask: (rows, length) int64, 1 on real tokens.

        Returns:
            A text for each row, without special tokens.
        """
        if not self.model.config.is_encoder_decoder:
            ids, mask = left_padded(ids, mask, self._pad_id())
        return [text.strip() for text in write_texts(self, ids, mask, self._options(), "lower data.max_length")]

    def _options(self) -> dict[str, Any]:
        options = dict(self.generation)
        for key in SPELLED:
            if isinstance(token := options.get(key), str):
                options[key] = self.tokenizer.convert_tokens_to_ids(token)
                if options[key] in (None, self.tokenizer.unk_token_id):
                    raise InputError(f"model.generation.{key} is {token!r}, which the tokenizer does not know.")
        return options


def _freeze_all_but_adapters(network: nn.Module) -> None:
    for name, parameter in network.named_parameters():
        if not is_adapter(name):
            parameter.requires_grad_(False)
