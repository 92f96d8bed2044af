"""Span denoising: T5's sentinels (arXiv 1910.10683) and BART's infilling (arXiv 1910.13461)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import Metric

from ...contracts import IGNORED, DataFacts, RowWork, ShownRow, ShownText, data_facts
from ...errors import InputError, check_range
from ...text.tokenizer import pad_id, separator_id
from ..backbone.backbone import Backbone
from ..backbone.families import require
from ..base import BaseModule, Output
from ..batches.padded_rows import PaddedRows
from ..batches.showing import shown_texts
from ..corruption.denoising import bart_infill, most_spans, random_spans, t5_corrupt
from ..corruption.hashing import row_keys
from ..metrics.basic import AccuracyPerTarget
from ..shortcuts.sparse_head import only_inputs
from .masked import recovered

SENTINELS = 100
"""As many as T5's own tokenizers have."""


class SpanDenoising(BaseModule):
    """Span denoising: spans that were taken out of the input are restored.

    `sentinels` (T5): each span gives way to a token of its own, and the target lists these tokens, each with the span
    that it stands for, a final one, and the end of text. `infilling` (BART): each span, whose length is drawn from a
    Poisson distribution and may be 0, gives way to one mask token, and the target is the whole text. Spans are drawn
    on the device, anew at every step of training, and are fixed in validation and test. Special tokens stay.

    Batch: `input_ids` (rows, length) int64; `attention_mask` (rows, length) int64, 1 on real tokens; or packed
    documents with `cu_seq_lens`, of which each becomes a row.

    Logs `loss`, `perplexity` and `accuracy` per target token.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        noise_density: share of the tokens that is taken out.
        mean_span: mean number of tokens in a span.
        corruption: `sentinels` or `infilling`; null means infilling for the BART family, sentinels for others.
        **optimization: the options of every module: `learning_rate`, `weight_decay`, `schedule`, `warmup`, ...

    Raises:
        InputError: if an option is out of range, the backbone is no encoder-decoder, or the tokenizer has too few
            sentinels or no mask token.
    """

    auto_class = "AutoModelForSeq2SeqLM"
    may_score: tuple[str, ...] = ("accuracy",)
    perplexity_of: str | None = ""
    datamodules: tuple[str, ...] = ("CorpusDataModule",)

    def __init__(
        self,
        backbone: str | Backbone,
        noise_density: float = 0.15,
        mean_span: float = 3.0,
        corruption: Literal["sentinels", "infilling"] | None = None,
        **optimization: Any,
    ) -> None:
        super().__init__(backbone, **optimization)
        check_range("model.noise_density", noise_density, above=0, below=1)
        check_range("model.mean_span", mean_span, least=1)
        self.noise_density = noise_density
        self.mean_span = mean_span
        self.corruption = corruption

    is_special: Tensor
    sentinel_ids: Tensor

    def prepare(self, data: Any) -> None:
        """Give a tokenizer without sentinels some: it then grows before the network is made."""
        super().prepare(data)
        if self.tokenizer is None:
            return
        self.kind = self._kind_with(self.tokenizer)
        if self.kind == "sentinels" and not _sentinels_of(self.tokenizer):
            self.tokenizer.add_tokens([f"<extra_id_{i}>" for i in range(SENTINELS)], special_tokens=True)

    def check_backbone(self, config: Any) -> None:
        """Refuse what is no encoder-decoder."""
        require("encoder-decoder", config, self.backbone.label, type(self).__name__)

    def check_tokenizer(self, tokenizer: Any) -> None:
        """Refuse one that lacks what stands for a span, or has too few for the longest input."""
        if tokenizer is None:
            raise InputError(
                "SpanDenoising needs a tokenizer; name one, or train one: data.tokenizer: {train: unigram}."
            )
        kind = self._kind_with(tokenizer)
        if kind == "infilling" and tokenizer.mask_token_id is None:
            raise InputError(
                "Infilling needs a tokenizer with a mask token, and there is none; one trained here "
                "(data.tokenizer: {train: bytelevel}) or model.corruption: sentinels would work."
            )
        if kind == "sentinels":
            sentinels = len(_sentinels_of(tokenizer)) or SENTINELS  # that `prepare` adds
            longest = data_facts(self.datamodule).longest
            needed = most_spans(longest, self.noise_density, self.mean_span) if longest else 0
            if needed > sentinels:
                raise InputError(
                    f"Inputs of {longest} tokens may need {needed} sentinels, and the tokenizer has {sentinels}: lower "
                    "data.block_size or model.noise_density, or raise model.mean_span."
                )

    def _kind_with(self, tokenizer: Any) -> str:
        config = self.backbone.load_config(tokenizer)
        return self.corruption or ("infilling" if config.model_type in ("bart", "mbart") else "sentinels")

    def finish(self) -> None:
        """Make the tables of special tokens and sentinels."""
        if getattr(self.model.config, "decoder_start_token_id", None) is None:
            self.model.config.decoder_start_token_id = self.tokenizer.pad_token_id
        self.make_tables(self.model.config.vocab_size)

    def make_tables(self, vocabulary: int) -> None:
        """Find the special tokens and the sentinels."""
        sentinels = _sentinels_of(self.tokenizer) if self.kind == "sentinels" else []
        special = torch.zeros(vocabulary, dtype=torch.bool)
        special[[i for i in {*self.tokenizer.all_special_ids, *sentinels} if i < len(special)]] = True
        self.register_buffer("is_special", special, persistent=False)
        self.register_buffer("sentinel_ids", torch.tensor(sentinels, dtype=torch.long), persistent=False)

    def make_metrics(self, part: str) -> dict[str, Metric]:
        """Return the accuracy over target tokens."""
        return {"accuracy": AccuracyPerTarget()}

    def row_work(self, length: int, data: DataFacts, config: Any) -> RowWork:
        """Return the work for a row of which spans are gone, and for the target that restores them."""
        noise = min(max(1, round(length * self.noise_density)), max(1, length - 1))
        spans = max(1, round(noise / self.mean_span))
        # Of sentinels the target has one for each span, the last one, and the end of text.
        target = length if self.kind == "infilling" else noise + spans + 2
        return RowWork(length - noise + spans, target, predicted=target)

    # ------------------------------------------------------------------ steps

    def corrupt(self, batch: dict[str, Tensor], stage: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the encoder reads and the decoder is to write.

        Args:
            batch: as documented above.
            stage: `train` draws by step; otherwise the draw is fixed.

        Returns:
            Input ids and their attention mask, (rows, input length), and labels, (rows, target length), -100 after the
            end; all int64.
        """
        padding = pad_id(self.tokenizer)
        rows = PaddedRows(batch, padding, packed=False)
        keys = row_keys(rows.ids, rows.mask, self.draw_seed(stage))
        corruptible = rows.real & ~self.is_special[rows.ids]
        real = rows.real.long()
        density, mean = self.noise_density, self.mean_span
        if self.kind == "sentinels":
            noise = random_spans(corruptible, keys, density, mean)
            end = separator_id(self.tokenizer) if self.tokenizer.eos_token_id is None else self.tokenizer.eos_token_id
            return t5_corrupt(rows.ids, real, noise, self.sentinel_ids, end if end is not None else padding, padding)
        mask_id = self.tokenizer.mask_token_id
        ids, mask = bart_infill(rows.ids, real, corruptible, keys, mask_id, padding, density, mean)
        return ids, mask, rows.ids.masked_fill(~rows.real, IGNORED)

    def shown(self, batch: dict[str, Tensor], stage: str) -> list[ShownRow]:
        """Return what is read, with the spans that are gone, and what is to be written."""
        with self.uncounted_step():
            ids, mask, labels = self.corrupt(batch, stage)
        asked = labels != IGNORED
        read = shown_texts(ids, mask.bool(), self.tokenizer, name="read", read_only=True)
        written = shown_texts(labels, asked, self.tokenizer, learned=asked, name="to write")
        known = self.sentinel_ids.tolist() if self.kind == "sentinels" else [self.tokenizer.mask_token_id]
        return [ShownRow([_with_spans(a, b, known), b]) for a, b in zip(read, written, strict=True)]

    def step(self, batch: dict[str, Tensor], stage: str) -> Output:
        """Corrupt, and run the output projection on target tokens only."""
        ids, mask, labels = self.corrupt(batch, stage)
        targets = self.targets(labels != IGNORED)
        shifted = self.model.prepare_decoder_input_ids_from_labels(labels)
        with only_inputs(self.model.get_output_embeddings(), targets.places):
            inputs = self.network_inputs({"input_ids": ids, "attention_mask": mask.long()})
            logits = self.model(**inputs, decoder_input_ids=shifted).logits
        return recovered(logits, targets.of(labels), **self.loss_options(stage))


def _with_spans(read: ShownText, written: ShownText, masks: list[int]) -> ShownText:
    """Return what is read with the tokens that each mask stands for, as far as the target lists them by sentinel."""
    places = [i for i, token in enumerate(written.ids) if token in masks]
    spans = {written.ids[a]: written.ids[a + 1 : b] for a, b in pairwise(places)}
    at = [i for i, token in enumerate(read.ids) if token in masks]
    roles = ["masked" if i in at else role for i, role in enumerate(read.roles)]
    was = {i: spans[read.ids[i]] for i in at if read.ids[i] in spans} if len(masks) > 1 else {}
    return replace(read, roles=roles, was=was)


def _sentinels_of(tokenizer: Any) -> list[int]:
    """Return the ids of what stands for the first span, the second, ..."""
    known = tokenizer.get_vocab()
    return [known[name] for i in range(len(known)) if (name := f"<extra_id_{i}>") in known]
