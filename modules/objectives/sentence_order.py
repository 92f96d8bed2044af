"""Sentence-order prediction together with masked language modeling (ALBERT, arXiv 1909.11942)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .next_sentence import NextSentencePrediction


class SentenceOrderPrediction(NextSentencePrediction):
    """Sentence-order prediction, whether two segments stand in their order, with masked language modeling.

    Half of the pairs are swapped, drawn as in `NextSentencePrediction`, whose options and heads it has. The label is 0
    where the order is that of the text, and 1 where it was swapped. As both segments are of one document, their topic
    gives nothing away.

    Batch: `segment_a` and `segment_b`, each (rows, its length) int64 token ids without special tokens, -1 after the
    end; `segment_b` follows `segment_a`.

    Logs `loss`, the weighted sum of `mlm_loss` and `sop_loss`; `mlm_accuracy`, `sop_accuracy` and `perplexity`.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        mlm_weight: of masked language modeling in the loss; 0 switches it off, and nothing is masked.
        pair_weight: of the prediction about the pair; 0 switches it off.
        **masking: the options of `MaskedLanguageModeling`, and those of every module.
    """

    batch_keys: tuple[str, ...] = ("segment_a", "segment_b")
    pair_part = "sop"
    pair_labels = ("in the order of the text", "swapped")

    def pairs(self, batch: dict[str, Tensor], flip: Tensor) -> tuple[Tensor, Tensor]:
        """Return the two segments of each row, swapped where `flip` (rows, 1) says so."""
        first, second = batch["segment_a"], batch["segment_b"]
        width = max(first.shape[1], second.shape[1])
        first = F.pad(first, (0, width - first.shape[1]), value=-1)
        second = F.pad(second, (0, width - second.shape[1]), value=-1)
        return torch.where(flip, second, first), torch.where(flip, first, second)
