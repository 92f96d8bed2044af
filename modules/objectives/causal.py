"""Causal language modeling: the next token, from left to right (GPT-2, Radford et al., 2019)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torchmetrics import Metric

from ...contracts import DataFacts, RowWork, ShownRow, data_facts
from ...errors import InputError
from ...text.tokenizer import separator_id
from ..backbone.backbone import Backbone
from ..backbone.families import require
from ..base import BaseModule, Output
from ..batches.left_padding import left_padded
from ..batches.padded_rows import PaddedRows
from ..batches.showing import shown_rows, shown_texts
from ..batches.targets import after, before
from ..metrics.basic import AccuracyPerTarget, MeanPerTarget, Perplexity
from ..metrics.directions import Direction, directions_of
from ..sharding import is_sharded
from ..shortcuts.packed_attention import can_pack
from ..shortcuts.sparse_head import only_inputs
from ..sketch import architecture
from ..writing import check_generation, write_texts
from .masked import recovered


class CausalLanguageModeling(BaseModule):
    """Causal language modeling: each token is predicted from those before it.

    The separator that a corpus puts after each document is a target too, so that the model learns to stop. Padding is
    none, nor is the first token of a row, nor the tokens that overlap with the row before (`data.eval_stride`).

    Batch: `input_ids` (rows, length) int64; `attention_mask` (rows, length) int64, 1 on real tokens; `overlap` (rows,)
    int64, how many tokens at the beginning of a row are context only. Or packed: `input_ids` and `position_ids`
    (1, tokens) int64 with `cu_seq_lens` (documents + 1,) int32: a document sees itself only.

    Logs `loss` and `perplexity` per token, `accuracy`, and where the corpus counts its words and bytes (as
    `CorpusDataModule` does) `word_perplexity` and `bits_per_byte`, which do not depend on the tokenizer.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        prompts: continued after each validation, as text in the log; an empty one begins a document. Null for none.
        generation: options of Hugging Face's `generate` for those samples and for `predict`, such as
            `{max_new_tokens: 40, do_sample: true, temperature: 0.8, top_k: 50}`. What is written ends earlier where
            the backbone has no positions left.
        **optimization: the options of every module: `learning_rate`, `weight_decay`, `schedule`, `warmup`, ...

    Raises:
        InputError: if the backbone is no decoder, or `generation` holds an unknown option.
    """

    auto_class = "AutoModelForCausalLM"
    may_score: tuple[str, ...] = ("accuracy", "word_perplexity", "bits_per_byte")
    perplexity_of: str | None = ""
    datamodules: tuple[str, ...] = ("CorpusDataModule",)
    frames_text = False

    def __init__(
        self,
        backbone: str | Backbone,
        prompts: list[str] | None = None,
        generation: dict[str, Any] | None = None,
        **optimization: Any,
    ) -> None:
        super().__init__(backbone, **optimization)
        self.prompts = prompts or []
        self.per_text = nn.ModuleDict()
        self.generation = {"max_new_tokens": 40, "do_sample": True, **(generation or {})}
        check_generation(self.generation)

    def check_backbone(self, config: Any) -> None:
        """Refuse what reads both sides: it would see the token that it is to predict."""
        require("decoder", config, self.backbone.label, type(self).__name__)

    def make_metrics(self, part: str) -> dict[str, Metric]:
        """Return the accuracy over predicted tokens."""
        return {"accuracy": AccuracyPerTarget()}

    def setup(self, stage: str) -> None:
        """Add the measures that do not depend on the tokenizer, where the data know their words and bytes."""
        data = data_facts(self.datamodule)
        if data.longest is not None:
            refuse_single_tokens(data.length_option or "block_size", data.longest)
        for stage, split in (("val", "validation"), ("test", "test")):
            if count := data.counts.get(split):
                tokens = count["tokens"]
                self.per_text[f"{stage}_word_perplexity"] = Perplexity(scale=tokens / max(1, count["words"]))
                nats_to_bits = math.log2(math.e)
                self.per_text[f"{stage}_bits_per_byte"] = MeanPerTarget([tokens / count["bytes"] * nats_to_bits])

    def row_work(self, length: int, data: DataFacts, config: Any) -> RowWork:
        """Return the work for a full row, of which each token but the first is predicted."""
        refuse_single_tokens(data.length_option or "block_size", length)
        return RowWork(length, predicted=length - 1, padded=False)

    def directions(self) -> dict[str, Direction]:
        """Return those of the base, and those of the measures of texts."""
        measures = {name.replace("_", "/", 1): metric for name, metric in self.per_text.items()}
        return super().directions() | directions_of(measures)

    def pad_id(self) -> int:
        """Return what fills rows, and is never read; with a loader of one's own there may be no tokenizer to ask."""
        known = self.tokenizer.pad_token_id if self.tokenizer is not None else architecture(self).pad_token_id
        return known or 0

    # ------------------------------------------------------------------ steps

    def followed(self, rows: PaddedRows) -> Tensor:
        """Return (rows, length), boolean: after which tokens the next one is predicted."""
        return before(rows.fresh)

    def shown(self, batch: dict[str, Tensor], stage: str) -> list[ShownRow]:
        """Return rows of which each token is learned that another one is before."""
        if stage == "predict":
            return super().shown(batch, stage)
        rows = PaddedRows(batch, self.pad_id())
        texts = shown_texts(
            rows.ids,
            rows.real,
            self.tokenizer,
            learned=after(self.followed(rows)),
            ignored=rows.real & ~rows.fresh,
        )
        return shown_rows(texts, batch)

    def step(self, batch: dict[str, Tensor], stage: str) -> Output:
        """Run the body on all tokens and the head on those that another follows."""
        rows = PaddedRows(batch, self.pad_id(), packed=can_pack(self.model))
        followed, following = self.followed(rows), before(rows.ids)
        targets = self.targets(followed, rows.tokens)
        with only_inputs(self.model.get_output_embeddings(), rows.places(targets)):
            logits = self.model(**self.network_inputs(rows.inputs(rows.ids))).logits
        output = recovered(logits, targets.of(following), **self.loss_options(stage))
        output = replace(output, positions=targets.places % rows.ids.shape[1] + 1)
        for name in ("word_perplexity", "bits_per_byte"):
            if f"{stage}_{name}" in self.per_text and not self.loader_number:  # the datamodule counts its own texts
                metric: Any = self.per_text[f"{stage}_{name}"]
                metric.update(output.loss.detach(), output.count)
                self.log(f"{stage}/{name}", metric, batch_size=1)
        return output

    # ------------------------------------------------------------------ generation

    def on_validation_end(self) -> None:
        """Log a continuation of each prompt."""
        writes = self.trainer.is_global_zero or is_sharded(self.model)  # of a divided network all processes must
        if not self.prompts or self.trainer.sanity_checking or not writes:
            return
        with torch.random.fork_rng():
            torch.manual_seed(self._seed)  # the same draws each time: what changes is the model
            texts = self.complete(self.prompts)
        for prompt, text in zip(self.prompts, texts, strict=True):
            rank_zero_info(f"step {self.global_step:,}, sample: {prompt}{text}")
        from ..callbacks.summary import append_to_summary  # here: some callbacks know this objective

        written = [{"step": self.global_step, "prompt": p, "text": t} for p, t in zip(self.prompts, texts, strict=True)]
        append_to_summary(self.trainer, "samples", written)
        for logger in self.trainer.loggers:
            experiment = getattr(logger, "experiment", None)
            if experiment is not None and hasattr(experiment, "add_text"):
                shown = "\n\n".join(f"**{p}**{t}" for p, t in zip(self.prompts, texts, strict=True))
                experiment.add_text("val/samples", shown, self.global_step)

    def complete(self, prompts: list[str]) -> list[str]:
        """Continue texts.

        Args:
            prompts: the beginnings; an empty one begins a document.

        Returns:
            What follows each, up to the end of the document or `max_new_tokens`.
        """
        if self.tokenizer is None:
            raise InputError(
                "Texts to be continued need a tokenizer, and there is none: set module.tokenizer, or leave "
                "model.prompts out."
            )
        encoded = [self.tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in prompts]
        end = self._end_id()
        # What ends a document comes before the next one.
        rows = [torch.tensor(ids or [end], device=self.device) for ids in encoded]
        ids = pad_sequence(rows, batch_first=True, padding_value=-1)
        return self._continued(*left_padded(ids, (ids >= 0).long(), self.pad_id()))

    def _continued(self, ids: Tensor, mask: Tensor) -> list[str]:
        ends = {"pad_token_id": self.pad_id(), "eos_token_id": self._end_id()}
        return write_texts(self, ids, mask, {**ends, **self.generation}, "shorten it")

    def _end_id(self) -> int:
        """Return what a corpus puts after each document, and so before the next."""
        separator = separator_id(self.tokenizer)
        return separator if separator is not None else self.pad_id()

    def predict_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> list[dict[str, Any]]:
        """Return the continuation of each prompt."""
        ids, mask = left_padded(batch["input_ids"], batch["attention_mask"], self.pad_id())
        empty = mask.sum(1) == 0
        ids[empty, -1:], mask[empty, -1:] = self._end_id(), 1
        return [{"prediction": text} for text in self._continued(ids, mask)]


def refuse_single_tokens(option: str, length: int) -> None:
    """Raise an InputError where inputs are too short for one token to predict another.

    Args:
        option: of the datamodule, that sets the length.
        length: tokens in an input, at the most.
    """
    if length < 2:
        raise InputError(
            f"data.{option} is {length}, and a single token has none before it that could predict it; it must be at "
            "least 2."
        )
