"""Next-sentence prediction together with masked language modeling (BERT, arXiv 1810.04805)."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor, nn
from torchmetrics import Metric

from ...contracts import DataFacts, RowWork, ShownRow
from ...contracts.random_streams import SEGMENT_SWAP
from ...errors import InputError
from ...text.tokenizer import pad_id, pair_frame
from ..backbone.backbone import Backbone
from ..base import Output
from ..batches.padded_rows import PaddedRows
from ..batches.showing import shown_rows, with_facts
from ..corruption.hashing import row_keys, uniform
from ..corruption.pairs import join_pairs
from ..losses.cross_entropy import cross_entropy
from ..metrics.basic import AccuracyPerTarget
from ..shortcuts.sparse_head import only_positions
from .masked import MaskedLanguageModeling, recovered, token_logits


class NextSentencePrediction(MaskedLanguageModeling):
    """Next-sentence prediction, whether the second segment followed the first, with masked language modeling.

    For half of the pairs the second segment gives way to one of another document. Which half is drawn on the device,
    anew at every step of training, and is fixed in validation and test. The label is 0 where the second segment
    followed, and 1 where it was replaced, as in Hugging Face's `BertForPreTraining`.

    The backbone's own pooler and pair head are trained where it has them (BERT, ERNIE, MobileBERT, ALBERT, ...);
    others get a head of two layers on the first token, which is not part of the export.

    Batch: `segment_a`, `segment_b`, `segment_other`, each (rows, its length) int64 token ids without special tokens, -1
    after the end; `segment_b` follows `segment_a`, `segment_other` is of another document.

    Logs `loss`, the weighted sum of `mlm_loss` and `nsp_loss`; `mlm_accuracy`, `nsp_accuracy` and `perplexity`.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        mlm_weight: of masked language modeling in the loss; 0 switches it off, and nothing is masked.
        pair_weight: of the prediction about the pair; 0 switches it off.
        **masking: the options of `MaskedLanguageModeling`, and those of every module.

    Raises:
        InputError: if both weights are 0, or as in `MaskedLanguageModeling`.
    """

    perplexity_of: str | None = "mlm"
    batch_keys: tuple[str, ...] = ("segment_a", "segment_b", "segment_other")
    learns_from = "sentence pairs"
    datamodules: tuple[str, ...] = ("SentencePairDataModule",)
    pair_part = "nsp"
    pair_labels: tuple[str, str] = ("the second followed the first", "the second is of another document")
    """What the labels of a pair say."""

    def __init__(
        self, backbone: str | Backbone, mlm_weight: float = 1.0, pair_weight: float = 1.0, **masking: Any
    ) -> None:
        super().__init__(backbone, **masking)
        if min(mlm_weight, pair_weight) < 0 or mlm_weight + pair_weight == 0:
            raise InputError(
                f"model.mlm_weight ({mlm_weight}) and model.pair_weight ({pair_weight}) must be at least 0, and one of "
                "them above 0."
            )
        if self.masking != "token":
            raise InputError(
                f"model.masking is {self.masking}; {type(self).__name__} masks tokens, and MaskedLanguageModeling also "
                "masks words and spans."
            )
        self.mlm_weight = mlm_weight
        self.pair_weight = pair_weight
        self.pair_head: nn.Module | None = None

    def check_backbone(self, config: Any) -> None:
        """Refuse what the base refuses, and decide which head there is."""
        super().check_backbone(config)
        self.auto_class = "AutoModelForPreTraining" if _has_pair_head(config) else "AutoModelForMaskedLM"

    def check_tokenizer(self, tokenizer: Any) -> None:
        """Refuse what the base refuses, and find what the tokenizer puts between two texts."""
        super().check_tokenizer(tokenizer)
        self.frame = pair_frame(tokenizer)

    def finish(self) -> None:
        """Make a head for pairs where the backbone has none."""
        super().finish()
        if self.auto_class == "AutoModelForMaskedLM":
            width = self.model.config.hidden_size
            self.pair_head = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 2))
            if self.stored is None:
                rank_zero_info(
                    f"{self.backbone.label} has no head for pairs of its own: one is trained beside it, and is not "
                    "part of the export."
                )

    def row_work(self, length: int, data: DataFacts, config: Any) -> RowWork:
        """Return the work for a padded pair, in which nothing is hidden where `mlm_weight` is 0."""
        work = super().row_work(length, data, config)
        return replace(work, predicted=work.predicted if self.mlm_weight else 0.0, padded=True)

    def parts(self) -> dict[str, float]:
        """Return the weights of the losses that are not switched off."""
        weights = {"mlm": self.mlm_weight, self.pair_part: self.pair_weight}
        return {name: weight for name, weight in weights.items() if weight}

    def make_metrics(self, part: str) -> dict[str, Metric]:
        """Return the accuracy over masked tokens, and that over pairs."""
        return {"accuracy": AccuracyPerTarget()}

    def networks(self) -> list[nn.Module]:
        """Return the network, and the head beside it if there is one."""
        return [self.model] if self.pair_head is None else [self.model, self.pair_head]

    # ------------------------------------------------------------------ steps

    def pairs(self, batch: dict[str, Tensor], flip: Tensor) -> tuple[Tensor, Tensor]:
        """Return the two segments of each row; `flip` (rows, 1), boolean, says where they are not as they stood."""
        width = max(batch["segment_b"].shape[1], batch["segment_other"].shape[1])
        following, foreign = (
            F.pad(batch[key], (0, width - batch[key].shape[1]), value=-1) for key in ("segment_b", "segment_other")
        )
        return batch["segment_a"], torch.where(flip, foreign, following)

    def hidden_pairs(self, batch: dict[str, Tensor], stage: str) -> tuple[PaddedRows, Tensor, Tensor, Tensor]:
        """Put pairs together, and mask them.

        Args:
            batch: as documented above.
            stage: `train` draws by step; otherwise the draw is fixed.

        Returns:
            The pairs; (rows, 1), boolean, which are not as they stood; the corrupted ids and the masked targets,
            (rows, length).
        """
        padding = pad_id(self.tokenizer)
        true = join_pairs(batch["segment_a"], batch["segment_b"], self.frame, padding)
        seed = self.draw_seed(stage)
        flip = uniform(row_keys(true["input_ids"], true["attention_mask"], seed)[:, :1], SEGMENT_SWAP) < 0.5
        rows = PaddedRows(join_pairs(*self.pairs(batch, flip), self.frame, padding), padding)
        corrupted, chosen, _ = self.mask(rows, stage)
        if not self.mlm_weight:
            corrupted, chosen = rows.ids, torch.zeros_like(chosen)
        return rows, flip, corrupted, chosen

    def shown(self, batch: dict[str, Tensor], stage: str) -> list[ShownRow]:
        """Return pairs with what is hidden, and whether they are as they stood."""
        with self.uncounted_step():
            rows, flip, corrupted, chosen = self.hidden_pairs(batch, stage)
        labels = [f"{int(label)}: {self.pair_labels[label]}" for label in flip.squeeze(1).long().tolist()]
        shown = shown_rows(self.shown_masks(rows, corrupted, chosen), {})
        if self.pair_part not in self.parts():
            return shown
        return [with_facts(row, {"pair": label}) for row, label in zip(shown, labels, strict=True)]

    def step(self, batch: dict[str, Tensor], stage: str) -> dict[str, Output]:
        """Put pairs together, mask them, and ask both questions of one pass through the body."""
        rows, flip, corrupted, chosen = self.hidden_pairs(batch, stage)
        body, targets = self.model.base_model, self.masked_targets(chosen, rows)
        with _first_token(body) as first, only_positions(body, rows.places(targets)):
            output = self.model(**self.network_inputs(rows.inputs(corrupted)))
        tokens = token_logits(output)
        pairs = self._pair_logits(output, first).float()
        labels = flip.squeeze(1).long()
        hits = (pairs.argmax(-1) == labels).float()
        masked = recovered(tokens, targets.of(rows.ids), **self.loss_options(stage))
        loss = cross_entropy(pairs, labels, self.smoothing(stage))
        pair = Output(loss, torch.full((), len(labels), device=loss.device), hits, torch.ones_like(hits), (pairs,))
        # A part that is switched off keeps its head in the graph, with a gradient of 0: distributed training wants
        # one for every parameter.
        masked.loss, pair.loss = masked.loss + 0.0 * pair.loss, pair.loss + 0.0 * tokens.sum()
        return {name: part for name, part in (("mlm", masked), (self.pair_part, pair)) if name in self.parts()}

    def _pair_logits(self, output: Any, first: list[Tensor]) -> Tensor:
        if self.pair_head is not None:
            logits: Tensor = self.pair_head(first[0])
            return logits
        return output.sop_logits if hasattr(output, "sop_logits") else output.seq_relationship_logits  # type: ignore[no-any-return]


@contextmanager
def _first_token(body: nn.Module) -> Iterator[list[Tensor]]:
    """Keep the state of each row's first token, (rows, width), before the head gets a choice of positions."""
    kept: list[Tensor] = []
    handle = body.register_forward_hook(lambda module, args, output: kept.append(output.last_hidden_state[:, 0]))
    try:
        yield kept
    finally:
        handle.remove()


def _has_pair_head(config: Any) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_PRETRAINING_MAPPING

    if type(config) not in MODEL_FOR_PRETRAINING_MAPPING:
        return False
    head: Any = MODEL_FOR_PRETRAINING_MAPPING[type(config)]
    options = inspect.signature(head.forward).parameters
    return "next_sentence_label" in options or "sentence_order_label" in options
