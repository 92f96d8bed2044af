"""Replaced-token detection (ELECTRA, arXiv 2003.10555)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.classification import BinaryAccuracy, BinaryPrecision, BinaryRecall

from ...contracts import ShownRow
from ...contracts.random_streams import GENERATED_TOKEN
from ...errors import InputError, check_range
from ..backbone.architecture import config_from_json
from ..backbone.backbone import Backbone
from ..backbone.weight_report import shown_count
from ..base import Output
from ..batches.showing import with_facts
from ..corruption.hashing import uniform
from ..losses.cross_entropy import binary_cross_entropy
from ..metrics.basic import AccuracyPerTarget
from ..shortcuts.sparse_head import only_positions
from .masked import MaskedLanguageModeling, recovered


class ReplacedTokenDetection(MaskedLanguageModeling):
    """Replaced-token detection: for every token, whether a small generator put it there.

    The generator learns masked language modeling; what it draws for the masked tokens replaces them, and the
    discriminator, which is the backbone, tells replaced from original. Where the generator hits the original, that
    counts as original. No gradient flows through the draw. The generator is not exported.

    ELECTRA has a head for this. Other encoders get the head of token classification with one output per token.

    Batch: as in `MaskedLanguageModeling`.

    Logs `loss`, the weighted sum of `generator_loss` and `discriminator_loss`; `perplexity` and `generator_accuracy` on
    masked tokens; `discriminator_accuracy`, and `discriminator_precision` and `discriminator_recall` of replaced
    tokens.

    Args:
        backbone: the discriminator: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone`.
        generator: a name of weights (such as `google/electra-small-generator`), or the fields in which its
            configuration differs from the discriminator's (`{hidden_size: 64, num_attention_heads: 1}`). Null: an
            ELECTRA of a quarter of the width, otherwise half as many layers (as in DeBERTa-v3, arXiv 2111.09543).
        share_embeddings: whether both use the same embeddings.
        generator_weight: of the generator's loss.
        discriminator_weight: of the discriminator's.
        temperature: of the generator's draw.
        mask_share: share of the targets that become the mask token.
        random_share: share of those that become a random token.
        **masking: the other options of `MaskedLanguageModeling`, and those of every module.

    Raises:
        InputError: if the two cannot share embeddings, or as in `MaskedLanguageModeling`.
    """

    perplexity_of: str | None = "generator"
    may_score: tuple[str, ...] = ("accuracy", "precision", "recall")
    fills_masks = False
    predict_step = LightningModule.predict_step  # none: what could fill masks, the generator, is not kept

    def __init__(
        self,
        backbone: str | Backbone,
        generator: str | dict[str, Any] | None = None,
        share_embeddings: bool = True,
        generator_weight: float = 1.0,
        discriminator_weight: float = 50.0,
        temperature: float = 1.0,
        mask_share: float = 1.0,
        random_share: float = 0.0,
        **masking: Any,
    ) -> None:
        super().__init__(backbone, mask_share=mask_share, random_share=random_share, **masking)
        if self.r_drop:
            raise InputError(
                "model.r_drop compares two passes over one input, but each pass of the generator draws another for the "
                "discriminator: leave it out, or use MaskedLanguageModeling."
            )
        for name, value in (
            ("generator_weight", generator_weight),
            ("discriminator_weight", discriminator_weight),
            ("temperature", temperature),
        ):
            check_range(f"model.{name}", value, above=0)
        self.generator_spec = generator
        self.share_embeddings = share_embeddings
        self.generator_weight = generator_weight
        self.discriminator_weight = discriminator_weight
        self.temperature = temperature
        self.generator: Any = None

    def check_backbone(self, config: Any) -> None:
        """Refuse what the base refuses; decide which head there is, and whether embeddings can be shared."""
        super().check_backbone(config)
        electra = config.model_type == "electra"
        self.auto_class = "AutoModelForPreTraining" if electra else "AutoModelForTokenClassification"
        self.generator_config = self._generator_config(config)
        small, large = _embedding_width(self.generator_config), _embedding_width(config)
        if self.share_embeddings and small != large:
            raise InputError(
                f"The generator's embeddings are {small} wide, the discriminator's {large}, so that they cannot be "
                "shared: set model.share_embeddings: false, or give them one width (hidden_size, or embedding_size "
                "where the architecture has that)."
            )

    def _generator_config(self, config: Any) -> Any:
        if self.stored is not None:
            return config_from_json(self.stored.generator or "")
        if isinstance(self.generator_spec, str):
            return Backbone(self.generator_spec).load_config(self.tokenizer)
        small = copy.deepcopy(config)
        changes = self.generator_spec
        if changes is None:
            changes = _quarter(config) if config.model_type == "electra" else _half(config)
        for key, value in changes.items():
            if not hasattr(small, key):
                raise InputError(f"model.generator: the {config.model_type} configuration has no field {key!r}.")
            setattr(small, key, value)
        if small.hidden_size % small.num_attention_heads:
            raise InputError(
                f"model.generator: its hidden_size ({small.hidden_size}) is no multiple of its num_attention_heads "
                f"({small.num_attention_heads}); change one of them."
            )
        if getattr(small, "layer_types", None):
            small.layer_types = small.layer_types[: small.num_hidden_layers]
        return small

    def head_options(self) -> dict[str, Any]:
        """Return the option for one output per token."""
        return {} if self.auto_class == "AutoModelForPreTraining" else {"num_labels": 1}

    def finish(self) -> None:
        """Make the generator."""
        super().finish()
        named = isinstance(self.generator_spec, str) and self.stored is None
        backbone = Backbone(self.generator_spec) if named else Backbone(config={})  # type: ignore[arg-type]
        backbone.dropout, backbone.attention = self.backbone.dropout, self.backbone.attention
        backbone.gradient_checkpointing = self.backbone.gradient_checkpointing
        self.generator, report = backbone.build(
            "AutoModelForMaskedLM", self.tokenizer, config=self.generator_config, weights=named
        )
        if self.share_embeddings:
            self._share()
        if self.stored is None:
            whole = shown_count(sum(p.numel() for p in self.generator.parameters()))
            rank_zero_info(str(report) if named else f"Generator: {whole} parameters, all new; not exported.")

    def _share(self) -> None:
        """Make the discriminator's embeddings the generator's too: whole where they are alike, else the words'."""
        discriminator, generator = self.model.base_model, self.generator.base_model
        shapes = [[p.shape for p in body.embeddings.parameters()] for body in (discriminator, generator)]
        if shapes[0] == shapes[1]:
            generator.embeddings = discriminator.embeddings
        else:
            self.generator.set_input_embeddings(self.model.get_input_embeddings())
        self.generator.tie_weights()

    def parts(self) -> dict[str, float]:
        """Return the weights of both losses."""
        return {"generator": self.generator_weight, "discriminator": self.discriminator_weight}

    def make_metrics(self, part: str) -> dict[str, Metric]:
        """Return the accuracy of both, and precision and recall of replaced tokens."""
        if part == "generator":
            return {"accuracy": AccuracyPerTarget()}
        return {
            "accuracy": BinaryAccuracy(ignore_index=-1, validate_args=False),
            "precision": BinaryPrecision(ignore_index=-1, validate_args=False),
            "recall": BinaryRecall(ignore_index=-1, validate_args=False),
        }

    def networks(self) -> list[nn.Module]:
        """Return discriminator and generator."""
        return [self.model, self.generator]

    def blank_networks(self, network: Any, options: Mapping[str, Any]) -> list[Any]:
        """Return the discriminator and the generator, which always learns whole."""
        from transformers import AutoModelForMaskedLM

        self.model, self.generator = network, AutoModelForMaskedLM.from_config(self.generator_config, **options)
        replace(self.backbone, compile=False, reinitialize_layers=0, freeze=None, lora=None, adapter=None).adapt(
            self.generator
        )
        if self.share_embeddings:
            self._share()
        return self.networks()

    # ------------------------------------------------------------------ steps

    def step(self, batch: dict[str, Tensor], stage: str) -> dict[str, Output]:
        """Mask, let the generator fill in, and ask the discriminator about every token."""
        rows = self.rows(batch)
        masked, chosen, keys = self.mask(rows, stage)
        hidden = self.masked_targets(chosen, rows)
        with only_positions(self.generator.base_model, rows.places(hidden)):
            guesses = self.generator(**self.network_inputs(rows.inputs(masked), self.generator)).logits
        generator = recovered(guesses, hidden.of(rows.ids), **self.loss_options(stage))
        draws = uniform(keys, GENERATED_TOKEN).flatten()[hidden.places]
        fake = hidden.put(self.draw(guesses.detach().flatten(0, -2), draws), rows.ids)
        logits = self.model(**self.network_inputs(rows.inputs(fake))).logits
        logits = logits.squeeze(-1) if logits.ndim == 3 else logits
        real, replaced = rows.place(rows.real), rows.place(fake != rows.ids)
        logits = logits[:, : real.shape[1]]  # a pack may have been filled up
        losses = binary_cross_entropy(logits.float(), replaced.float(), self.smoothing(stage), reduction="none")
        # The metrics leave out what is -1; a choice by `real` would have to wait for a GPU to count it.
        guesses, labels = (logits > 0).long().flatten(), replaced.long().masked_fill(~real, -1).flatten()
        discriminator = Output((losses * real).sum(), real.sum(), guesses, labels)
        return {"generator": generator, "discriminator": discriminator}

    def shown(self, batch: dict[str, Tensor], stage: str) -> list[ShownRow]:
        """Return rows as the generator reads them; what it will put there, only its weights know."""
        rows = super().shown(batch, stage)
        return [with_facts(row, {"discriminator": f"asked of all {row.length} tokens"}) for row in rows]

    def draw(self, logits: Tensor, uniforms: Tensor) -> Tensor:
        """Return a token for each target from the generator's distribution; never a special one.

        Args:
            logits: (targets, vocabulary).
            uniforms: (targets,), in [0, 1): the same numbers draw the same tokens.
        """
        logits = logits.float() / self.temperature
        logits = logits.masked_fill(self.is_special[: logits.shape[1]], float("-inf"))
        below = logits.softmax(-1).cumsum(-1)
        drawn = torch.searchsorted(below, (uniforms * below[:, -1]).unsqueeze(1), right=True)
        return drawn.squeeze(1).clamp(max=logits.shape[1] - 1)

    def describe(self) -> dict[str, Any]:
        """Return what the base says, and the generator's configuration."""
        return {**super().describe(), "generator": self.generator.config.to_json_string(use_diff=False)}


def _embedding_width(config: Any) -> int:
    return int(getattr(config, "embedding_size", None) or config.hidden_size)


def _quarter(config: Any) -> dict[str, int]:
    width = max(1, config.hidden_size // 4)
    heads = max(1, config.num_attention_heads // 4)
    return {
        "hidden_size": width,
        "intermediate_size": max(1, config.intermediate_size // 4),
        "num_attention_heads": heads if width % heads == 0 else 1,
    }


def _half(config: Any) -> dict[str, int]:
    return {"num_hidden_layers": max(1, config.num_hidden_layers // 2)}
