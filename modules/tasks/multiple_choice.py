"""Multiple choice: which of several endings fits a context (as BERT does SWAG, arXiv 1810.04805)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from ...contracts import DataFacts, RowWork, ShownRow
from ..backbone.backbone import Backbone
from ..base import Output
from ..losses.cross_entropy import cross_entropy
from ..metrics.basic import AccuracyPerTarget
from .calibrated import CalibratedModule

USUAL_CHOICES = 4
"""Endings of a question, for an estimate: how many there are only the data know."""


class MultipleChoice(CalibratedModule):
    """Multiple choice: each ending is scored together with the context, and a softmax over those of a row chooses.

    Batch: `input_ids` and `attention_mask` (rows, choices, length) int64, `token_type_ids` where there are; `labels`
    (rows,) int64, the number of the right ending; `choice_mask` (rows, choices), where rows have different numbers of
    endings: 1 on those that are there.

    A backbone without a multiple-choice head in transformers (decoders, encoder-decoders) gets the one for sequence
    classification with a single output, the score of an ending.

    Logs `loss` and `accuracy`.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        **optimization: the options of every module: `learning_rate`, `weight_decay`, `schedule`, `warmup`, ...
    """

    auto_class = "AutoModelForMultipleChoice"
    default_monitor = "val/accuracy"
    may_score: tuple[str, ...] = ("accuracy",)
    batch_keys = ("input_ids", "attention_mask")
    learns_from = "labels"
    datamodules = ("MultipleChoiceDataModule",)
    needs_tokenizer = False

    def __init__(self, backbone: str | Backbone, **optimization: Any) -> None:
        super().__init__(backbone, **optimization)

    def check_backbone(self, config: Any) -> None:
        """Choose the head: one for multiple choice where transformers has it, else the score of a sequence."""
        from transformers import AutoModelForMultipleChoice

        has_head = type(config) in AutoModelForMultipleChoice._model_mapping
        self.auto_class = "AutoModelForMultipleChoice" if has_head else "AutoModelForSequenceClassification"

    def row_work(self, length: int, data: DataFacts, config: Any) -> RowWork:
        """Return the work for the endings of a question, each read together with its context."""
        return RowWork(length, inputs=USUAL_CHOICES)

    def head_options(self) -> dict[str, Any]:
        """Return the option for one score an ending."""
        return {} if self.auto_class == "AutoModelForMultipleChoice" else {"num_labels": 1}

    def number_of_outputs(self) -> int:
        """Return one: the score of an ending."""
        return 1

    def answer_logits(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return (rows, choices) scores, and (rows,) the right ones."""
        return self.scores(batch), batch["labels"]

    def make_metrics(self, part: str) -> dict[str, Metric]:
        """Return the accuracy, over any number of choices."""
        return {"accuracy": ChoiceAccuracy()}

    def scores(self, batch: dict[str, Tensor]) -> Tensor:
        """Return (rows, choices), float32: how well each ending fits; minus infinity where there is none."""
        rows, choices, _ = batch["input_ids"].shape
        options = self.network_inputs(batch)
        inputs = {key: options.pop(key).flatten(0, 1) for key in list(options) if isinstance(options[key], Tensor)}
        is_choice = batch["choice_mask"].flatten().bool() if "choice_mask" in batch else None
        if is_choice is not None:
            inputs = {key: value[is_choice] for key, value in inputs.items()}
        if self.auto_class == "AutoModelForMultipleChoice":
            inputs = {key: value.unsqueeze(1) for key, value in inputs.items()}
        logits: Tensor = self.model(**inputs, **options).logits.float().flatten()
        if is_choice is None:
            return logits.view(rows, choices)
        scores = torch.full((rows * choices,), -torch.inf, device=logits.device)
        return scores.masked_scatter(is_choice, logits).view(rows, choices)

    def shown(self, batch: dict[str, Tensor], stage: str) -> list[ShownRow]:
        """Return the endings that there are, each with its context, and which is right."""
        rows, shown = super().shown(batch, stage), []
        right = batch["labels"].tolist() if stage != "predict" else [None] * len(rows)
        counts = batch["choice_mask"].sum(1).tolist() if "choice_mask" in batch else [len(r.texts) for r in rows]
        for row, number, count in zip(rows, right, counts, strict=True):
            texts = [
                replace(text, name=f"choice {i}" + (", the right one" if i == number else ""))
                for i, text in enumerate(row.texts[:count])
            ]
            shown.append(replace(row, texts=texts, facts={} if number is None else {"label": f"choice {number}"}))
        return shown

    def step(self, batch: dict[str, Tensor], stage: str) -> Output:
        """Return the cross entropy over the endings of each row."""
        scores, targets = self.scores(batch), batch["labels"]
        loss = cross_entropy(self.tempered(scores), targets, self.smoothing(stage))
        return Output(loss, torch.full((), len(targets), device=loss.device), scores, targets, (scores,))

    def predict_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> list[dict[str, Any]]:
        """Return for each row the number of the likeliest ending, and every ending's probability."""
        return self._answers(batch, self.scores(batch))

    def answered(self, batch: Mapping[str, Tensor], outputs: Mapping[str, Output]) -> list[dict[str, Any]]:
        """Return the same of a test batch."""
        return self._answers(batch, outputs[""].predictions.detach())

    def _answers(self, batch: Mapping[str, Tensor], scores: Tensor) -> list[dict[str, Any]]:
        best, rows = scores.argmax(-1).tolist(), self.tempered(scores).softmax(-1).tolist()
        counts = batch["choice_mask"].sum(1).tolist() if "choice_mask" in batch else [len(row) for row in rows]
        answers = []
        for choice, row, count in zip(best, rows, counts, strict=True):
            answer = self.answer_options.labeled(choice, list(range(count)), row[:count])
            answers.append(answer | ({"probabilities": row[:count]} if "probabilities" in answer else {}))
        return answers


class ChoiceAccuracy(AccuracyPerTarget):
    """The share of rows whose likeliest choice is right."""

    def update(self, scores: Tensor, targets: Tensor) -> None:
        """Add a batch: (rows, choices) scores, (rows,) the right ones."""
        right = scores.argmax(-1) == targets
        super().update(right.sum(), torch.tensor(len(targets)))
