"""Masked language modeling (BERT, arXiv 1810.04805), with whole words or spans hidden if wanted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torchmetrics import Metric

from ...contracts import IGNORED, DataFacts, RowWork, ShownRow, ShownText
from ...errors import InputError, check_range
from ...text.tokenizer import pad_id, special_frame
from ..backbone.backbone import Backbone
from ..backbone.families import require
from ..backbone.positions import max_positions
from ..base import BaseModule, Output
from ..batches.mask_windows import mask_windows
from ..batches.padded_rows import PaddedRows
from ..batches.showing import shown_rows, shown_texts
from ..batches.targets import Targets, most_targets
from ..corruption.hashing import row_keys
from ..corruption.masking import choose_spans, choose_tokens, choose_words, corrupt
from ..losses.vocabulary import vocabulary_loss
from ..metrics.basic import AccuracyPerTarget
from ..shortcuts.packed_attention import can_pack
from ..shortcuts.sparse_head import only_positions


class MaskedLanguageModeling(BaseModule):
    """Masked language modeling: hidden tokens are predicted from both sides.

    Masks are drawn on the device, anew at every step of training (dynamic masking, arXiv 1907.11692); in validation and
    test they are a fixed function of each example. Special tokens and padding are never targets.

    Batch: `input_ids` (rows, length) int64; `attention_mask` (rows, length) int64, 1 on real tokens; `token_type_ids`
    (rows, length) int64 where the tokenizer has them; `word_ids` (rows, length) int64 for whole words and spans. Or
    packed: `input_ids` and `position_ids` (1, tokens) int64 with `cu_seq_lens` (documents + 1,) int32.

    Logs `loss` and `perplexity` per masked token, and `accuracy` on masked tokens. `predict` fills the mask tokens of
    texts.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        mask_probability: share of tokens to predict; 0.3 learns faster on small budgets (arXiv 2202.08005).
        final_mask_probability: the share at the end of training, reached evenly (arXiv 2305.15096), and in evaluation;
            null keeps `mask_probability`.
        masking: what is hidden as one: a `token`, a `word` with all of its tokens, or a `span` of words (SpanBERT,
            arXiv 1907.10529).
        mask_share: share of the targets that become the mask token.
        random_share: share of those that become a random token; the rest stay as they are.
        span_stop: the p of the geometric distribution of span lengths.
        longest_span: the most words in a span.
        **optimization: the options of every module: `learning_rate`, `weight_decay`, `schedule`, `warmup`, ...

    Raises:
        InputError: if a share is out of range, the backbone is no encoder, or (when the data are known) the tokenizer
            has no mask token.
    """

    auto_class = "AutoModelForMaskedLM"
    may_score: tuple[str, ...] = ("accuracy",)
    perplexity_of: str | None = ""
    datamodules: tuple[str, ...] = ("CorpusDataModule",)
    fills_masks = True

    def __init__(
        self,
        backbone: str | Backbone,
        mask_probability: float = 0.15,
        final_mask_probability: float | None = None,
        masking: Literal["token", "word", "span"] = "token",
        mask_share: float = 0.8,
        random_share: float = 0.1,
        span_stop: float = 0.2,
        longest_span: int = 10,
        **optimization: Any,
    ) -> None:
        super().__init__(backbone, **optimization)
        last = mask_probability if final_mask_probability is None else final_mask_probability
        for name, value in (
            ("mask_probability", mask_probability),
            ("final_mask_probability", last),
            ("span_stop", span_stop),
        ):
            check_range(f"model.{name}", value, above=0, below=1)
        if mask_share < 0 or random_share < 0 or mask_share + random_share > 1:
            raise InputError(
                f"model.mask_share ({mask_share}) and model.random_share ({random_share}) must be at least 0 and sum "
                "to at most 1; the rest of the targets stays unchanged."
            )
        check_range("model.longest_span", longest_span, least=1)
        self.mask_probability = mask_probability
        self.final_mask_probability = last
        self.masking = masking
        self.mask_share = mask_share
        self.random_share = random_share
        self.span_stop = span_stop
        self.longest_span = longest_span
        self.needs_word_ids = masking != "token"

    is_special: Tensor
    ordinary_ids: Tensor

    def check_backbone(self, config: Any) -> None:
        """Refuse what does not read both sides."""
        require("encoder", config, self.backbone.label, type(self).__name__)

    def check_tokenizer(self, tokenizer: Any) -> None:
        """Refuse one without a mask token."""
        if tokenizer is None or tokenizer.mask_token_id is None:
            raise InputError(
                f"{type(self).__name__} needs a tokenizer with a mask token, and there is none; a tokenizer of "
                "the BERT family would work, or one trained here: data.tokenizer: {train: wordpiece}."
            )

    def finish(self) -> None:
        """Make the tables of ordinary and special tokens."""
        self.make_tables(self.model.config.vocab_size)

    def make_tables(self, vocabulary: int) -> None:
        """Find the ordinary and the special tokens."""
        special = torch.zeros(vocabulary, dtype=torch.bool)
        special[[i for i in self.tokenizer.all_special_ids if i < len(special)]] = True
        ordinary = torch.tensor(sorted(set(self.tokenizer.get_vocab().values()) - set(self.tokenizer.all_special_ids)))
        self.register_buffer("is_special", special, persistent=False)
        self.register_buffer("ordinary_ids", ordinary, persistent=False)

    def make_metrics(self, part: str) -> dict[str, Metric]:
        """Return the accuracy over masked tokens."""
        return {"accuracy": AccuracyPerTarget()}

    def row_work(self, length: int, data: DataFacts, config: Any) -> RowWork:
        """Return the work for a full row, at the moment when most of it is hidden."""
        return RowWork(length, predicted=length * max(self.mask_probability, self.final_mask_probability), padded=False)

    # ------------------------------------------------------------------ corruption

    def rows(self, batch: dict[str, Tensor]) -> PaddedRows:
        """Return the batch as padded rows; packed only for networks that keep packed documents apart."""
        return PaddedRows(batch, pad_id(self.tokenizer), packed=can_pack(self.model))

    def mask(self, rows: PaddedRows, stage: str) -> tuple[Tensor, Tensor, Tensor]:
        """Choose targets and hide them.

        Args:
            rows: the batch.
            stage: `train` draws by step; otherwise the draw is fixed.

        Returns:
            The corrupted ids and the targets, both (rows, length), and the hash keys of the draw, (rows, length).
        """
        training = stage == "train"
        keys = row_keys(rows.ids, rows.mask, self.draw_seed(stage))
        maskable = rows.fresh & ~self.is_special[rows.ids]
        probability = self.final_mask_probability
        if training and probability != self.mask_probability:
            probability = self.mask_probability + (probability - self.mask_probability) * self.progress()
        if self.masking == "token":
            targets = choose_tokens(keys, maskable, probability)
        elif "word_ids" not in rows.batch:
            raise InputError(
                f"model.masking is {self.masking}, which needs batches with word_ids; CorpusDataModule gives them "
                "(data.word_ids)."
            )
        elif self.masking == "word":
            targets = choose_words(keys, maskable, rows.of("word_ids", -1), probability)
        else:
            word_ids = rows.of("word_ids", -1)
            targets = choose_spans(keys, maskable, word_ids, probability, self.span_stop, self.longest_span)
        corrupted = corrupt(
            rows.ids,
            targets,
            keys,
            mask_id=self.tokenizer.mask_token_id,
            ordinary_ids=self.ordinary_ids,
            mask_share=self.mask_share,
            random_share=self.random_share,
            alike=self.masking == "span",
        )
        return corrupted, targets, keys

    def masked_targets(self, chosen: Tensor, rows: PaddedRows) -> Targets:
        """Return where to predict, found without waiting for a GPU.

        Args:
            chosen: (rows, length), boolean.
            rows: the batch that the choice was made in.
        """
        probability = max(self.mask_probability, self.final_mask_probability)
        # Of words and spans no bound is known that is not far too high: they are counted.
        most = most_targets(rows.tokens, len(rows.ids), probability) if self.masking == "token" else None
        return self.targets(chosen, most)

    # ------------------------------------------------------------------ steps

    def step(self, batch: dict[str, Tensor], stage: str) -> Output | dict[str, Output]:
        """Mask, run the body on all tokens and the head on the masked ones."""
        rows = self.rows(batch)
        corrupted, chosen, _ = self.mask(rows, stage)
        targets = self.masked_targets(chosen, rows)
        with only_positions(self.model.base_model, rows.places(targets)):
            logits = self.model(**self.network_inputs(rows.inputs(corrupted))).logits
        output = recovered(logits, targets.of(rows.ids), **self.loss_options(stage))
        return replace(output, positions=targets.places % rows.ids.shape[1])

    def shown(self, batch: dict[str, Tensor], stage: str) -> list[ShownRow]:
        """Return rows with what is hidden, and behind what."""
        if stage == "predict":
            return super().shown(batch, stage)
        with self.uncounted_step():
            rows = PaddedRows(batch, pad_id(self.tokenizer))
            return shown_rows(self.shown_masks(rows, *self.mask(rows, stage)[:2]), batch)

    def shown_masks(self, rows: PaddedRows, corrupted: Tensor, chosen: Tensor) -> list[ShownText]:
        """Return the text of each row.

        Args:
            rows: before they are corrupted.
            corrupted: (rows, length), their ids afterwards.
            chosen: (rows, length), boolean: what is predicted.
        """
        overlap = rows.real & ~rows.fresh
        return shown_texts(corrupted, rows.real, self.tokenizer, learned=chosen, ignored=overlap, original=rows.ids)

    def answered_by(self) -> tuple[str, ...]:
        """Return `top_k`: of each mask so many words."""
        return ("top_k",)

    def predict_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> list[dict[str, Any]]:
        """Return each text with the likeliest words in the places of its mask tokens, and the five likeliest.

        Of a text that is longer than the network takes, each mask is answered from as much around it as fits.
        """
        lengths = batch["attention_mask"].sum(1).tolist()
        texts = [ids[:length] for ids, length in zip(batch["input_ids"].tolist(), lengths, strict=True)]
        filled: list[list[dict[str, float]]] = [[] for _ in texts]
        for row, place, ids, chances in self._fillings(texts):
            texts[row][place] = ids[0]
            words = [self.tokenizer.decode([i]) for i in ids]
            filled[row].append(dict(zip(words, chances, strict=True)))
        before, after = special_frame(self.tokenizer)
        written = [self.tokenizer.decode([*before, *ids, *after], skip_special_tokens=True) for ids in texts]
        return [{"prediction": text, "masks": masks} for text, masks in zip(written, filled, strict=True)]

    def _fillings(self, texts: list[list[int]]) -> list[tuple[int, int, list[int], list[float]]]:
        """Return of each mask its text, its place in it, the likeliest tokens and their probabilities."""
        before, after = special_frame(self.tokenizer)
        limit, mask_id = max_positions(self.model.config), self.tokenizer.mask_token_id
        room = None if limit is None else limit - len(before) - len(after)
        windows = [
            (row, first, masks)
            for row, ids in enumerate(texts)
            for first, masks in mask_windows([i for i, token in enumerate(ids) if token == mask_id], len(ids), room)
        ]
        found = []
        for begin in range(0, len(windows), len(texts)):
            part = windows[begin : begin + len(texts)]
            rows = [torch.tensor([*before, *texts[row][first:][:room], *after]) for row, first, _ in part]
            ids = pad_sequence(rows, batch_first=True, padding_value=-1).to(self.device)
            mask = (ids >= 0).long()
            ids = ids.masked_fill(ids < 0, pad_id(self.tokenizer))
            logits = token_logits(self.model(**self.network_inputs({"input_ids": ids, "attention_mask": mask})))
            for number, (row, first, masks) in enumerate(part):
                asked = logits[number, [len(before) + place - first for place in masks]]
                chances = asked.float().softmax(-1)[:, : len(self.tokenizer)]  # others stand for no word
                best = chances.topk(min(self.answer_options.top_k or 5, chances.shape[-1]))
                answers = zip(masks, best.indices.tolist(), best.values.tolist(), strict=True)
                found += [(row, place, tokens, values) for place, tokens, values in answers]
        return found


def token_logits(output: Any) -> Tensor:
    """Return the logits over tokens, whatever the head calls them."""
    logits: Tensor = output.prediction_logits if hasattr(output, "prediction_logits") else output.logits
    return logits


def recovered(
    logits: Tensor, targets: Tensor, smoothing: float = 0.0, plain: bool = False, compiled: bool = False
) -> Output:
    """Return cross entropy and hits of predicted tokens.

    Args:
        logits: (..., vocabulary), of as many places as there are targets.
        targets: (targets,), integers; `IGNORED` where there is none.
        smoothing: probability mass spread over the vocabulary.
        plain: without the shortcuts of `vocabulary_loss`.
        compiled: by kernels that are compiled for it.
    """
    logits = logits.flatten(0, -2)
    targets = targets.long()
    loss, count, hits = vocabulary_loss(logits, targets, smoothing, plain, compiled)
    return Output(loss, count, hits, (targets != IGNORED).float(), (logits,), tokens=targets)
