"""Token classification: named entities, parts of speech, ... a tag for every word."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from ...hints import known_targets
from ..base import Output
from ..layers.entities import EntityScore
from ..layers.losses import cross_entropy
from ..layers.targets import find_targets
from .labelled import LabelledModule


class TokenClassification(LabelledModule):
    """A tag for every word, from which entities are read (IOB2).

    Batch: `input_ids` and `attention_mask` (rows, length) int64, `token_type_ids` where there are; `labels` (rows,
    length) int64, an index into `labels`, or -100 where nothing is asked. For the scores `words` (rows, length) int64,
    the number of the word that is answered for, or -1, and `example` (rows,) int64, its sentence; without them a row is
    a sentence and every label a word.

    Logs `loss`, `precision`, `recall` and `f1` of entities: right only if beginning, end and kind are, over all
    entities (as seqeval counts in strict mode). Scores of each kind of entity are in the `summary.json` of a test.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        labels: the tag names in the order of their indices (`O`, `B-PER`, `I-PER`, ...); null asks the datamodule.
        **optimization: the options of every module: `learning_rate`, `weight_decay`, `schedule`, `warmup`, ...
    """

    auto_class = "AutoModelForTokenClassification"
    default_monitor = "val/f1"
    datamodules = ("TokenClassificationDataModule",)

    def make_metrics(self, part: str) -> dict[str, Metric]:
        """Precision, recall and F1 of entities."""
        return {kind: EntityScore(self.labels or [], kind) for kind in ("precision", "recall", "f1")}

    def step(self, batch: dict[str, Tensor], stage: str) -> Output:
        """Cross entropy over the tags of the labelled tokens."""
        logits = self.model(**self.network_inputs(batch)).logits.float()
        labels = batch["labels"]
        places = find_targets(labels >= 0, known_targets(batch)).places
        targets, outputs = labels.flatten()[places], logits.flatten(0, 1)[places]
        weights = self.weights if stage == "train" else None
        loss = cross_entropy(outputs, targets, self.smoothing(stage), weights)
        count = torch.full((), len(places), device=loss.device) if weights is None else weights[targets].sum()
        rows, length = labels.shape
        words = batch.get("words", torch.arange(length, device=labels.device).expand_as(labels))
        example = batch.get("example", torch.arange(rows, device=labels.device)).unsqueeze(1).expand_as(labels)
        found = torch.stack((example.flatten()[places], words.flatten()[places], outputs.argmax(-1)), 1)
        return Output(loss, count, found, targets, (outputs,))

    def details(self) -> dict[str, Any]:
        """Precision, recall and F1 of each kind of entity in the test."""
        scores: Any = self.metrics["test_scores_"]
        metric = scores["f1"]
        with metric.sync_context(should_sync=False):
            counts = metric.counts().tolist()
        return {
            "entities": {
                name: {
                    "precision": right / max(1, predicted),
                    "recall": right / max(1, there),
                    "f1": 2 * right / max(1, predicted + there),
                    "support": there,
                }
                for name, (right, predicted, there) in zip(metric.types, counts, strict=True)
            }
        }

    # ------------------------------------------------------------------ prediction

    def predict_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> list[dict[str, Any]]:
        """For each row the tags of its words, by number, with their probabilities."""
        scores, tags = self.model(**self.network_inputs(batch)).logits.float().softmax(-1).max(-1)
        names = self.labels or []
        return [
            {w: (names[t], s) for w, t, s in zip(words, row, chances, strict=True) if w >= 0}
            for words, row, chances in zip(batch["words"].tolist(), tags.tolist(), scores.tolist(), strict=True)
        ]

    def merge_predictions(self, parts: list[tuple[int, dict[Any, Any]]]) -> dict[int, dict[str, Any]]:
        """For each input row its entities, with text, place in characters and score, whatever its windows."""
        found: dict[int, dict[int, tuple[str, float]]] = {}
        for index, words in parts:
            found.setdefault(index, {}).update(words)
        examples = self.datamodule.examples("predict")
        return {index: _entities(examples[index], words) for index, words in found.items()}


def _entities(example: dict[str, Any], words: dict[int, tuple[str, float]]) -> dict[str, Any]:
    """Entities out of the tags of words, strictly as they are scored."""
    entities: list[dict[str, Any]] = []
    tags = [words.get(number, ("O", 1.0)) for number in range(len(example["words"]))]
    kind, chances = "", [0.0]
    for (tag, chance), (start, end) in zip(tags, example["words"], strict=True):
        if kind and tag == f"I-{kind}":
            chances.append(chance)
            entities[-1]["end"] = end
        elif tag.startswith("B-"):
            kind, chances = tag[2:], [chance]
            entities.append({"text": "", "label": kind, "start": start, "end": end, "score": 0.0})
        else:
            kind = ""
            continue
        entities[-1] |= {
            "text": example["text"][entities[-1]["start"] : end],
            "score": sum(chances) / len(chances),
        }
    return {"entities": entities, "prediction": [tag for tag, _ in tags]}
