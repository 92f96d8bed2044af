"""Text classification: sentiment, topic, entailment, similarity, ... of one text or two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MultilabelExactMatch, MultilabelF1Score
from torchmetrics.regression import MeanSquaredError, SpearmanCorrCoef

from ...contracts import ShownRow, data_facts
from ...errors import InputError
from ..backbone.backbone import Backbone
from ..base import Output
from ..batches.showing import with_facts
from ..losses.cross_entropy import binary_cross_entropy, cross_entropy
from ..metrics.basic import F1, BinaryF1, Confusion, Matthews, Pearson
from ..metrics.majority import majority_scores
from ..metrics.multilabel import TunedF1
from .labeled import LabeledModule

Problem = Literal["single", "multi", "regression"]
PROBLEM_TYPES: dict[Problem, str] = {
    "single": "single_label_classification",
    "multi": "multi_label_classification",
    "regression": "regression",
}
MONITORS: dict[Problem, str] = {"single": "val/accuracy", "multi": "val/f1", "regression": "val/pearson"}


MOST_CONFUSED = 1000
"""Labels that a confusion matrix has at most: it grows with their square, and nobody reads a larger one."""


class TextClassification(LabeledModule):
    """Text classification: a label, several labels, or a number for a text or a pair of texts.

    Batch: `input_ids` and `attention_mask` (rows, length) int64, `token_type_ids` where there are, and `labels`:
    (rows,) int64, the index into `labels` (single); (rows, labels) float32, 0 or 1 (multi); (rows,) float32
    (regression).

    Logs `loss`, and: for one label `accuracy`, `f1` (macro), `f1_weighted`, `mcc` (Matthews) and, where there are
    two labels, `f1_binary` (of the second, as MRPC and QQP are scored); for several `f1` (macro), `f1_micro` and
    `accuracy` (all labels right), all at a probability of one half, and `f1_tuned`, macro with the threshold for each
    label that is best on validation, which test and predict use; for numbers `pearson`, `spearman` and `mse`. Label
    smoothing and class weights shape the training loss alone: the other stages report plain likelihood. The confusion
    matrix of a test is in `summary.json`, for up to 1,000 labels.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        labels: the label names in the order of their indices; null asks the datamodule.
        problem: `single`, `multi` or `regression`; null asks the checkpoint, the datamodule or the weights.
        **optimization: the options of every module: `learning_rate`, `weight_decay`, `schedule`, `warmup`, ...
    """

    auto_class = "AutoModelForSequenceClassification"
    default_monitor = "val/accuracy"
    may_score: tuple[str, ...] = (
        *("accuracy", "f1", "f1_micro", "f1_tuned", "f1_weighted", "f1_binary", "mcc"),
        *("pearson", "spearman", "mse"),
    )
    learns_from = "labels"
    datamodules = ("TextClassificationDataModule",)
    thresholds: Tensor

    def __init__(
        self,
        backbone: str | Backbone,
        labels: list[str] | None = None,
        problem: Problem | None = None,
        **optimization: Any,
    ) -> None:
        super().__init__(backbone, labels, **optimization)
        if problem not in (None, *PROBLEM_TYPES):
            raise InputError(f"model.problem is {problem!r}; there are: {', '.join(PROBLEM_TYPES)}.")
        self.problem = problem
        self.register_buffer("thresholds", None)
        self.confusion: Metric | None = None

    # ------------------------------------------------------------------ building

    def asked_problem(self) -> Problem | None:
        """Return the kind of problem that does not come from the data, if one is fixed; what a datamodule asks."""
        return self.problem or (None if self.stored is None else self.stored.problem)

    def prepare(self, data: Any) -> None:
        """Find the kind of problem, then the labels."""
        problem_of_data = data_facts(data).problem
        if self.problem and problem_of_data and self.problem != problem_of_data:
            raise InputError(
                f"model.problem is {self.problem}, but the data are {problem_of_data}: leave model.problem out."
            )
        self.problem = self.asked_problem() or problem_of_data or self._problem_of_weights()
        if self.problem == "regression":
            self.labels = self.labels or ["score"]
        self.fewest_labels = 2 if self.problem == "single" else 1
        super().prepare(data)
        if self.problem != "single" and self.class_weights is not None:
            raise InputError(f"model.class_weights weighs classes, and this is {self.problem}: leave it out.")
        if self.problem == "regression" and self.calibrate:
            raise InputError("model.calibrate is for probabilities, and this is regression: leave it out.")
        if self.monitor == self.default_monitor:
            self.use_monitor(MONITORS[self.problem])

    def _problem_of_weights(self) -> Problem:
        trained = None if self.backbone.name is None else getattr(self.backbone.load_config(), "problem_type", None)
        return next((name for name, kind in PROBLEM_TYPES.items() if kind == trained), "single")

    def finish(self) -> None:
        """Write label names and problem into the network."""
        super().finish()
        self.model.config.problem_type = PROBLEM_TYPES[self.problem or "single"]
        if self.problem == "multi":
            self.register_buffer("thresholds", torch.full((len(self.labels or []),), 0.5))
        if self.problem == "single" and len(self.labels or []) <= MOST_CONFUSED:
            self.confusion = Confusion(len(self.labels or []))

    def make_metrics(self, part: str) -> dict[str, Metric]:
        """Return the metrics of the kind of problem, as the class lists them."""
        n = len(self.labels or [])
        if self.problem == "regression":
            return {"pearson": Pearson(), "spearman": SpearmanCorrCoef(), "mse": MeanSquaredError()}
        if self.problem == "multi":
            return {
                "accuracy": MultilabelExactMatch(n, validate_args=False),
                "f1": MultilabelF1Score(n, average="macro", validate_args=False),
                "f1_micro": MultilabelF1Score(n, average="micro", validate_args=False),
                "f1_tuned": TunedF1(n),
            }
        return {
            "accuracy": MulticlassAccuracy(n, average="micro", validate_args=False),
            "f1": F1(n, "macro"),
            "f1_weighted": F1(n, "weighted"),
            "mcc": Matthews(n),
            **({"f1_binary": BinaryF1()} if n == 2 else {}),
        }

    # ------------------------------------------------------------------ steps

    def step(self, batch: dict[str, Tensor], stage: str) -> Output:
        """Return the cross entropy over the labels, the binary cross entropy of each, or the squared error."""
        logits = self.model(**self.network_inputs(batch)).logits.float()
        targets = batch["labels"]
        count = torch.full((), len(targets), device=logits.device)
        if self.problem == "regression":
            numbers = logits.squeeze(-1)
            loss = F.mse_loss(numbers, targets.float(), reduction="sum")
            return Output(loss, count, numbers, targets.float(), (numbers,), "numbers")
        if self.problem == "multi":
            loss = binary_cross_entropy(self.tempered(logits), targets.float(), self.smoothing(stage))
            return Output(loss, count * targets.shape[1], logits, targets.long(), (logits,), "binary")
        if stage == "test" and self.confusion is not None:
            self.confusion.update(logits, targets)
        weights = self.weights if stage == "train" else None
        loss = cross_entropy(self.tempered(logits), targets, self.smoothing(stage), weights)
        return Output(loss, count if weights is None else weights[targets].sum(), logits, targets, (logits,))

    def shown(self, batch: dict[str, Tensor], stage: str) -> list[ShownRow]:
        """Return texts with their label, labels or number."""
        rows = super().shown(batch, stage)
        if stage == "predict":
            return rows
        return [with_facts(row, self._named(y)) for row, y in zip(rows, batch["labels"].tolist(), strict=True)]

    def _named(self, target: Any) -> dict[str, str]:
        names = self.labels or []
        if self.problem == "regression":
            return {"number": f"{target:g}"}
        if self.problem == "multi":
            return {"labels": ", ".join(name for name, yes in zip(names, target, strict=True) if yes) or "none"}
        return {"label": names[target]}

    def predict_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> list[dict[str, Any]]:
        """Return the likeliest label of each row and every label's probability; its labels; or its number."""
        return self._answers(self.model(**self.network_inputs(batch)).logits.float())

    def answered(self, batch: Mapping[str, Tensor], outputs: Mapping[str, Output]) -> list[dict[str, Any]]:
        """Return the same of a test batch, with what is right as `label`."""
        output, names = outputs[""], self.labels or []
        rows = self._answers(output.predictions.detach().float())
        for row, gold in zip(rows, output.targets.tolist(), strict=True):
            if self.problem == "multi":
                row["label"] = [name for name, yes in zip(names, gold, strict=True) if yes]
            else:
                row["label"] = gold if self.problem == "regression" else names[gold]
        return rows

    def _answers(self, logits: Tensor) -> list[dict[str, Any]]:
        names = self.labels or []
        if self.problem == "regression":
            return [{"prediction": number} for number in logits.flatten().tolist()]
        tempered = self.tempered(logits)
        probabilities = tempered.sigmoid() if self.problem == "multi" else tempered.softmax(-1)
        rows, options = probabilities.tolist(), self.answer_options
        if self.problem == "single":
            best = logits.argmax(-1).tolist()
            return [options.labeled(names[i], names, row) for i, row in zip(best, rows, strict=True)]
        chosen = logits.sigmoid() >= self.thresholds  # of validation, found without a temperature
        if options.threshold is not None:
            chosen = probabilities >= options.threshold
        return [
            {"prediction": [n for n, yes in zip(names, picked, strict=True) if yes], **options.shown(names, row)}
            for picked, row in zip(chosen.tolist(), rows, strict=True)
        ]

    def answered_by(self) -> tuple[str, ...]:
        """Return all options, but for numbers."""
        return () if (self.problem or self.asked_problem()) == "regression" else super().answered_by()

    def answer_logits(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return (rows, labels) logits, and the right labels: (rows,), or (rows, labels) of several."""
        return self.model(**self.network_inputs(batch)).logits.float(), batch["labels"]

    # ------------------------------------------------------------------ thresholds and the confusion matrix

    def on_validation_epoch_end(self) -> None:
        """Keep the thresholds that are best on validation."""
        if self.problem == "multi":
            scores: Any = self.metrics.of("val")
            with scores["f1_tuned"].sync_context():
                self.thresholds.copy_(scores["f1_tuned"].thresholds())

    def on_test_start(self) -> None:
        """Score at the thresholds of the validation, and count anew."""
        super().on_test_start()
        if self.problem == "multi":
            scores: Any = self.metrics.of("test")
            scores["f1_tuned"].fixed = self.thresholds
        if self.confusion is not None:
            self.confusion.reset()

    def details(self) -> dict[str, Any]:
        """Return the confusion matrix of the test: rows are what is right, columns what was predicted."""
        if self.problem == "single" and self.confusion is None:
            return {"confusion_matrix": f"left out: {len(self.labels or []):,} labels, more than {MOST_CONFUSED:,}"}
        if self.confusion is None or not self.confusion.update_called:
            return {}
        return {"labels": self.labels, "confusion_matrix": self.confusion.compute().tolist()}

    def guess(self) -> dict[str, float]:
        """Return what always saying the most frequent of single labels would score."""
        if self.problem != "single":
            return {}
        return majority_scores(list(data_facts(self.datamodule).occurrences("validation").values()))

    def describe(self) -> dict[str, Any]:
        """Return what the base says, and the kind of problem."""
        return {**super().describe(), "problem": self.problem}
