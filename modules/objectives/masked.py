"""Masked language modelling (BERT, arXiv 1810.04805)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from ...errors import InputError
from ..backbone import Backbone
from ..base import BaseModule, Output
from ..layers.masking import mask_tokens
from ..layers.metrics import MeanPerTarget
from ..layers.sparse_head import only_positions


class MaskedLanguageModeling(BaseModule):
    """Predicts hidden tokens from both sides.

    Masks are drawn on the device, anew at every step of training (dynamic masking, arXiv 1907.11692); in validation and
    test they are a fixed function of each example. Special tokens and padding are never targets.

    Batch: `input_ids` (rows, length) int64; `attention_mask` (rows, length) int64, 1 on real tokens; `token_type_ids`
    (rows, length) int64 where the tokenizer has them.

    Logs `loss` and `perplexity` per masked token, and `accuracy` on masked tokens.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        mask_probability: share of tokens to predict; 0.3 learns faster on small budgets (arXiv 2202.08005).
        mask_share: share of those that become the mask token.
        random_share: share of those that become a random token; the rest stay as they are.
        **optimization: the options of every module: `learning_rate`, `weight_decay`, `schedule`, `warmup`, ...

    Raises:
        InputError: if a share is out of range, or (when the data are known) the tokenizer has no mask token.
    """

    auto_class = "AutoModelForMaskedLM"
    reports_perplexity = True

    def __init__(
        self,
        backbone: str | Backbone,
        mask_probability: float = 0.15,
        mask_share: float = 0.8,
        random_share: float = 0.1,
        **optimization: Any,
    ) -> None:
        super().__init__(backbone, **optimization)
        if not 0 < mask_probability < 1:
            raise InputError(f"model.mask_probability is {mask_probability}; it must lie between 0 and 1.")
        if mask_share < 0 or random_share < 0 or mask_share + random_share > 1:
            raise InputError(
                f"model.mask_share ({mask_share}) and model.random_share ({random_share}) must be at least 0 and sum "
                "to at most 1; the rest of the targets stays unchanged."
            )
        self.mask_probability = mask_probability
        self.mask_share = mask_share
        self.random_share = random_share

    is_special: Tensor
    ordinary_ids: Tensor

    def finish(self) -> None:
        """Makes the tables of ordinary and special tokens."""
        if self.tokenizer is None or self.tokenizer.mask_token_id is None:
            raise InputError(
                "Masked language modelling needs a tokenizer with a mask token, and there is none; a tokenizer of "
                "the BERT family would work, or one trained here: data.tokenizer: {train: wordpiece}."
            )
        special = torch.zeros(self.model.config.vocab_size, dtype=torch.bool)
        special[[i for i in self.tokenizer.all_special_ids if i < len(special)]] = True
        ordinary = torch.tensor(sorted(set(self.tokenizer.get_vocab().values()) - set(self.tokenizer.all_special_ids)))
        self.register_buffer("is_special", special, persistent=False)
        self.register_buffer("ordinary_ids", ordinary, persistent=False)

    def make_metrics(self) -> dict[str, Metric]:
        """Accuracy over masked tokens."""
        return {"accuracy": MeanPerTarget()}

    def step(self, batch: dict[str, Tensor], stage: str) -> Output:
        """Masks, runs the body on all tokens and the head on the masked ones."""
        mask = batch.get("attention_mask")
        maskable = ~self.is_special[batch["input_ids"]]
        corrupted, chosen = mask_tokens(
            batch["input_ids"],
            maskable if mask is None else maskable & mask.bool(),
            attention_mask=mask,
            mask_id=self.tokenizer.mask_token_id,
            ordinary_ids=self.ordinary_ids,
            probability=self.mask_probability,
            mask_share=self.mask_share,
            random_share=self.random_share,
            seed=self._seed + self.global_step + 1 if stage == "train" else 0,
        )
        with only_positions(self.model.base_model, chosen):
            logits = self.model(**self.network_inputs({**batch, "input_ids": corrupted})).logits
        logits = logits.flatten(0, -2).float()
        targets = batch["input_ids"][chosen].long()
        loss = F.cross_entropy(logits, targets, reduction="sum")
        hits = (logits.argmax(-1) == targets).float()
        return Output(loss, torch.tensor(len(targets), device=loss.device), hits, torch.ones_like(hits))
