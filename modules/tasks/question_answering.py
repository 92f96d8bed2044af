"""Extractive question answering: the answer is a span of the context (BERT on SQuAD, arXiv 1810.04805)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric

from ...contracts import DataFacts, ShownRow, ShownSpan, data_facts, is_defined
from ...errors import check_range
from ...text.answers import Scoring
from ..backbone.backbone import Backbone
from ..backbone.families import family
from ..base import BaseModule, Output
from ..hosted import one_loader
from ..losses.cross_entropy import cross_entropy
from ..metrics.answer_spans import NONE, AnswerKind, AnswerScore, best_spans, merged
from ..sketch import architecture

EXACT = torch.float32 if torch.backends.mps.is_available() else torch.float64
"""Holds scores, and numbers of characters and questions; Apple's GPUs have no doubles."""


class QuestionAnswering(BaseModule):
    """Extractive question answering: tokens are scored as first and last of the answer, the null position as none.

    The null position is the first token of an encoder ([CLS]), and of a decoder the last, which alone has seen
    everything. A question's windows are put together: the best spans of all of them, and the lowest score of no answer.
    No answer is given where it is likelier than the best span by more than a threshold, which is the best one on
    validation and travels with the checkpoint.

    Batch: `input_ids` and `attention_mask` (rows, length) int64, `token_type_ids` where there are; `start_positions`
    and `end_positions` (rows,) int64, -1 where the answer is not in the window. For the scores `starts` and `ends`
    (rows, length) int64, which characters of the context a token is, -1 outside of it, and `example` (rows,) int64, the
    question; contexts and gold answers come from the datamodule.

    Logs `loss`, `exact_match` and `f1` from 0 to 100 as the official scripts compute them; where some questions have no
    answer also `has_answer_exact_match`, `has_answer_f1` and `no_answer_accuracy`.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        max_answer_length: tokens of an answer at most.
        n_best: spans that are kept of each window.
        scoring: `squad` (arXiv 1606.05250) or `cmrc2018` (arXiv 1810.07366, for Chinese); null goes by the language of
            the gold answers.
        **optimization: the options of every module: `learning_rate`, `weight_decay`, `schedule`, `warmup`, ...
    """

    auto_class = "AutoModelForQuestionAnswering"
    default_monitor = "val/f1"
    scores_training = False  # answers are looked for in evaluation only
    may_score: tuple[str, ...] = ("exact_match", "f1", "has_answer_exact_match", "has_answer_f1", "no_answer_accuracy")
    learns_from = "labels"
    datamodules = ("QuestionAnsweringDataModule",)
    needs_tokenizer = False
    null_threshold: Tensor

    def __init__(
        self,
        backbone: str | Backbone,
        max_answer_length: int = 30,
        n_best: int = 20,
        scoring: Scoring | None = None,
        **optimization: Any,
    ) -> None:
        super().__init__(backbone, **optimization)
        check_range("model.max_answer_length", max_answer_length, least=1)
        check_range("model.n_best", n_best, least=1)
        self.max_answer_length, self.n_best, self.scoring = max_answer_length, n_best, scoring
        self.register_buffer("null_threshold", torch.tensor(float("inf")))

    # ------------------------------------------------------------------ building

    def make_metrics(self, part: str) -> dict[str, Metric]:
        """Return exact match and F1, where a datamodule knows the answers."""
        data = data_facts(self.datamodule)
        if not is_defined(data, DataFacts.examples):
            if self.monitor == self.default_monitor:
                self.use_monitor("val/loss")
            return {}
        kinds: list[AnswerKind] = ["exact_match", "f1"]
        if data.unanswerable:
            kinds += ["has_answer_exact_match", "has_answer_f1", "no_answer_accuracy"]
        return {kind: AnswerScore(kind, self.scoring) for kind in kinds}

    # ------------------------------------------------------------------ steps

    def logits(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return (rows, length) float32 each: of the first and of the last token; padding is minus infinity."""
        output = self.model(**self.network_inputs(batch))
        padding = batch["attention_mask"] == 0
        least = torch.finfo(torch.float32).min
        start, end = (logits.float().masked_fill(padding, least) for logits in (output.start_logits, output.end_logits))
        return start, end

    def null_positions(self, batch: dict[str, Tensor]) -> Tensor:
        """Return (rows,) int64: where no answer is scored."""
        lasts = batch["attention_mask"].sum(1) - 1
        return lasts if family(architecture(self)) in ("decoder", "encoder-decoder") else torch.zeros_like(lasts)

    def answer_places(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return (rows,) int64 each: the answer's first and last token; the null position where it is not there."""
        null = self.null_positions(batch)
        first, last = (torch.where(batch[k] < 0, null, batch[k]) for k in ("start_positions", "end_positions"))
        return first, last

    def shown(self, batch: dict[str, Tensor], stage: str) -> list[ShownRow]:
        """Return questions and contexts with the answer, or with the place that says that there is none."""
        rows = super().shown(batch, stage)
        if stage == "predict":
            return rows
        first, last = (places.tolist() for places in self.answer_places(batch))
        answered = (batch["start_positions"] >= 0).tolist()
        return [
            replace(
                row,
                texts=[replace(row.texts[0], spans=[ShownSpan(a, b + 1, "answer" if yes else "no answer")])],
                facts={**row.facts, "answer": "marked" if yes else "none in this window"},
            )
            for row, a, b, yes in zip(rows, first, last, answered, strict=True)
        ]

    def step(self, batch: dict[str, Tensor], stage: str) -> Output:
        """Return the mean of the cross entropies of both ends."""
        if self.loader_number:
            one_loader(self)
        start, end = self.logits(batch)
        places = self.answer_places(batch)
        losses = [
            cross_entropy(logits, place, self.smoothing(stage))
            for logits, place in zip((start, end), places, strict=True)
        ]
        candidates, scores = torch.zeros(0), self.metrics.of(stage)
        if stage != "train" and len(scores):
            candidates = torch.cat((batch["example"].unsqueeze(1).to(EXACT), self.candidates(batch, start, end)), 1)
        count = torch.full((), len(start), device=start.device)
        return Output((losses[0] + losses[1]) / 2, count, candidates, candidates, (start, end))

    def candidates(self, batch: dict[str, Tensor], start: Tensor, end: Tensor) -> Tensor:
        """Return (rows, 1 + 3 * n_best) float64: the score of no answer, then start, end and score of each span."""
        spans, scores = best_spans(start, end, batch["starts"] >= 0, self.max_answer_length, self.n_best)
        null = self.null_positions(batch).unsqueeze(1)
        none = start.gather(1, null) + end.gather(1, null)
        begin, stop = batch["starts"].gather(1, spans[..., 0]), batch["ends"].gather(1, spans[..., 1])
        ranked = torch.stack((begin.to(EXACT), stop.to(EXACT), scores.to(EXACT)), 2).flatten(1)
        missing = 3 * self.n_best - ranked.shape[1]  # a batch may be too short for as many
        return torch.cat((none.to(EXACT), F.pad(ranked, (0, missing), value=NONE)), 1)

    def _examples_for(self, stage: str, split: str) -> None:
        scores: Any = self.metrics.of(stage)
        for metric in scores.values():
            metric.examples = self.datamodule.examples(split)
            metric.fixed = float(self.null_threshold) if stage == "test" else None

    def on_validation_start(self) -> None:
        """Tell the metrics where the answers are."""
        self._examples_for("val", "validation")

    def on_test_start(self) -> None:
        """Tell the metrics where the answers are, and the threshold of the validation."""
        super().on_test_start()
        self._examples_for("test", "test")

    def on_validation_epoch_end(self) -> None:
        """Keep the threshold that is best on validation."""
        scores: Any = self.metrics.of("val")
        if len(scores):
            with scores["f1"].sync_context():
                exactly = scores["f1"].threshold()
            self.null_threshold.fill_(exactly)
            if float(self.null_threshold) < exactly:  # rounded down, it would turn the last answer into none
                self.null_threshold.nextafter_(torch.tensor(float("inf")))

    # ------------------------------------------------------------------ prediction

    def predict_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> list[dict[str, Any]]:
        """Return the spans of each window."""
        return [{"window": row} for row in self.candidates(batch, *self.logits(batch)).tolist()]

    def answered(self, batch: Mapping[str, Tensor], outputs: Mapping[str, Output]) -> list[dict[str, Any]]:
        """Return the spans of each window of a test."""
        return [{"window": row[1:]} for row in outputs[""].predictions.tolist()]

    def merge_predictions(
        self, parts: list[tuple[int, dict[str, Any]]], split: str = "predict"
    ) -> dict[int, dict[str, Any]]:
        """Return the answer to each question, a slice of its context, how sure it is, and the next best ones."""
        windows: dict[int, list[list[float]]] = {}
        for index, part in parts:
            windows.setdefault(index, []).append(part["window"])
        examples = self.datamodule.examples(split)
        predictions = {}
        for index, rows in windows.items():
            answer, context = merged(rows), examples[index]["context"]
            best = answer.spans[: self.n_best]
            chances = torch.tensor([value for _, _, value in best] + [answer.null]).softmax(0).tolist()
            asked = self.answer_options.threshold
            none = answer.odds > (float(self.null_threshold) if asked is None else asked)
            predictions[index] = {
                "prediction": "" if none else answer.text(context),
                **({} if asked is None else {"abstained": none}),
                "score": chances[-1] if none or not best else chances[0],
                "no_answer_odds": answer.odds,
                "n_best": [
                    {"text": context[s:e], "start": s, "end": e, "score": chance}
                    for (s, e, _), chance in list(zip(best, chances, strict=False))[: self.answer_options.top_k]
                ],
            }
        return predictions

    def answered_by(self) -> tuple[str, ...]:
        """Return all options; the threshold takes the place of the one of validation."""
        return ("top_k", "threshold")

    def official_prediction(self, number: int, row: dict[str, Any]) -> tuple[str, str]:
        """Return SQuAD's form of a prediction: the id of the question, and the answer."""
        return self.datamodule.examples("predict")[number]["id"], row["prediction"]

    def save_pretrained(self, folder: str | Path, check: bool = True) -> None:
        """Write a Hugging Face folder; the threshold is in its configuration as `null_threshold`."""
        self.build()
        if torch.isfinite(self.null_threshold):
            self.model.config.null_threshold = float(self.null_threshold)
        super().save_pretrained(folder, check)

    def finish(self) -> None:
        """Take the threshold of an earlier export."""
        known = getattr(self.model.config, "null_threshold", None)
        if known is not None:
            self.null_threshold.fill_(known)
