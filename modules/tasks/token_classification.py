"""Token classification: named entities, parts of speech, ... a tag for every word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from ...contracts import ShownRow, ShownSpan, data_facts, known_targets
from ...text.tags import is_spans
from ..base import Output
from ..batches.showing import shown_texts
from ..batches.targets import find_targets
from ..losses.cross_entropy import cross_entropy
from ..metrics.entities import EntityScore, TagAccuracy, whole_tags
from .labeled import LabeledModule


class TokenClassification(LabeledModule):
    """Token classification: a tag for every word, of which entities are read (IOB2), or a part of speech and the like.

    Which of the two the datamodule says, else the labels: without a B- among them they name words.

    Batch: `input_ids` and `attention_mask` (rows, length) int64, `token_type_ids` where there are; `labels` (rows,
    length) int64, an index into `labels`, or -100 where nothing is asked. For the scores `words` (rows, length) int64,
    the number of the word that is answered for, or -1, and `example` (rows,) int64, its sentence; without them a row is
    a sentence and every label a word. Where tokens and words are not the same, `covers` (rows, length) int64, for how
    many words a token answers, and `gold` (rows, words) int64, the tags of all words of a sentence, or -100.

    Logs `loss`, and of entities `precision`, `recall` and `f1`: right only if beginning, end and kind are, over all
    entities (as seqeval counts in strict mode); of tags that name words `accuracy`. What is scored is what `predict`
    gives. Scores of each kind of entity are in the `summary.json` of a test.

    Args:
        backbone: a hub id, a folder, an earlier run's folder or its `.ckpt`, or a `Backbone` with options.
        labels: the tag names in the order of their indices (`O`, `B-PER`, `I-PER`, ...); null asks the datamodule.
        class_weights: `balanced` (inverse to the training frequencies), one weight a label, or null; in the training
            loss alone.
        **optimization: the options of every module: `learning_rate`, `weight_decay`, `schedule`, `warmup`, ...
    """

    auto_class = "AutoModelForTokenClassification"
    default_monitor = "val/f1"
    may_score: tuple[str, ...] = ("precision", "recall", "f1", "accuracy")
    learns_from = "labels"
    datamodules = ("TokenClassificationDataModule",)

    tagging = False

    def prepare(self, data: Any) -> None:
        """Find the labels, and what they are of."""
        super().prepare(data)
        said = [data_facts(data).tagging, None if self.stored is None else self.stored.tagging]
        self.tagging = any(said) if said != [None, None] else not is_spans(self.labels or [])
        if self.tagging and self.monitor == self.default_monitor:
            self.use_monitor("val/accuracy")

    def make_metrics(self, part: str) -> dict[str, Metric]:
        """Return precision, recall and F1 of entities, or the accuracy of tags."""
        if self.tagging:
            return {"accuracy": TagAccuracy(self.labels or [])}
        return {kind: EntityScore(self.labels or [], kind) for kind in ("precision", "recall", "f1")}

    def asked(self, labels: Tensor) -> Tensor:
        """Return (rows, length), boolean: which tokens have a tag."""
        return labels >= 0

    def shown(self, batch: dict[str, Tensor], stage: str) -> list[ShownRow]:
        """Return sentences with their tags, or their entities."""
        if stage == "predict":
            return super().shown(batch, stage)
        labels, real = batch["labels"], batch["attention_mask"].bool()
        learned = self.asked(labels)
        texts = shown_texts(batch["input_ids"], real, self.tokenizer, learned=learned, ignored=real & ~learned)
        return [
            ShownRow([replace(text, spans=self._spans(row))]) for text, row in zip(texts, labels.tolist(), strict=True)
        ]

    def _spans(self, tags: list[int]) -> list[ShownSpan]:
        """Return the tags of single words; of entities those that a beginning and its continuations make up."""
        spans: list[ShownSpan] = []
        for place, number in enumerate(tags):
            tag = "O" if number < 0 else (self.labels or [])[number]
            if number < 0 or (tag == "O" and not self.tagging):
                continue
            kind = tag if self.tagging else tag[2:]
            before = next((n for n in reversed(tags[:place]) if n >= 0), -1)
            goes_on = not self.tagging and tag.startswith("I-") and spans and spans[-1].label == kind
            if goes_on and before >= 0 and (self.labels or [])[before] != "O":
                spans[-1] = replace(spans[-1], last=place + 1)
            else:
                spans.append(ShownSpan(place, place + 1, kind))
        return spans

    def step(self, batch: dict[str, Tensor], stage: str) -> Output:
        """Return the cross entropy over the tags of the labeled tokens."""
        logits = self.model(**self.network_inputs(batch)).logits.float()
        labels = batch["labels"]
        places = find_targets(self.asked(labels), known_targets(batch)).places
        targets, outputs = labels.flatten()[places], logits.flatten(0, 1)[places]
        weights = self.weights if stage == "train" else None
        loss = cross_entropy(self.tempered(outputs), targets, self.smoothing(stage), weights)
        count = torch.full((), len(places), device=loss.device) if weights is None else weights[targets].sum()
        rows, length = labels.shape
        words = batch.get("words", torch.arange(length, device=labels.device).expand_as(labels))
        example = batch.get("example", torch.arange(rows, device=labels.device)).unsqueeze(1).expand_as(labels)
        covers = batch.get("covers", torch.ones_like(words))
        columns = (example.flatten()[places], words.flatten()[places], outputs.argmax(-1), covers.flatten()[places])
        asked = _numbered(batch) if "gold" in batch else targets
        return Output(loss, count, torch.stack(columns, 1), asked, (outputs,))

    def answer_logits(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return (targets, labels) logits of the labeled tokens, and (targets,) their right labels."""
        logits, labels = self.model(**self.network_inputs(batch)).logits.float(), batch["labels"]
        asked = self.asked(labels)
        return logits[asked], labels[asked]

    def details(self) -> dict[str, Any]:
        """Return precision, recall and F1 of each kind of entity in the test."""
        if self.tagging:
            return {}
        scores: Any = self.metrics.of("test")
        metric = scores["f1"]
        with metric.sync_context(should_sync=False):
            counts = metric.counts().tolist()
        return {
            "entities": {
                name: {
                    "precision": right / max(1, predicted),
                    "recall": right / max(1, support),
                    "f1": 2 * right / max(1, predicted + support),
                    "support": support,
                }
                for name, (right, predicted, support) in zip(metric.types, counts, strict=True)
            }
        }

    # ------------------------------------------------------------------ prediction

    def answered_by(self) -> tuple[str, ...]:
        """Return none: a row has many tags, and is not answered as a whole."""
        return ()

    def predict_step(self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0) -> list[dict[Any, Any]]:
        """Return for each row the tags of its words, by number, their probabilities, and how many words it has."""
        logits = self.model(**self.network_inputs(batch)).logits.float()
        tags = logits.argmax(-1)
        scores = self.tempered(logits).softmax(-1).gather(-1, tags.unsqueeze(-1)).squeeze(-1)
        names, words = self.labels or [], batch["words"]
        covers = batch.get("covers", torch.ones_like(words))
        columns = (words.tolist(), tags.tolist(), scores.tolist(), covers.tolist())
        return [
            {w: (names[t], s, n) for w, t, s, n in zip(*row, strict=True) if w >= 0}
            for row in zip(*columns, strict=True)
        ]

    def answered(self, batch: Mapping[str, Tensor], outputs: Mapping[str, Output]) -> list[dict[Any, Any]]:
        """Return the same of a test batch."""
        (logits,) = outputs[""].outputs
        labels, names = batch["labels"], self.labels or []
        words = batch.get("words")
        if words is None:
            return []
        tags = logits.argmax(-1)
        scores = self.tempered(logits).softmax(-1).gather(-1, tags.unsqueeze(-1)).squeeze(-1)
        places = find_targets(self.asked(labels)).places
        covers = batch.get("covers", torch.ones_like(words)).flatten()[places]
        rows, words = places // labels.shape[1], words.flatten()[places]
        answers: list[dict[Any, Any]] = [{} for _ in labels]
        columns = (column.tolist() for column in (rows, words, tags, scores, covers))
        for row, word, tag, score, number in zip(*columns, strict=True):
            if word >= 0:
                answers[row][word] = (names[tag], score, number)
        return answers

    def merge_predictions(
        self, parts: list[tuple[int, dict[Any, Any]]], split: str = "predict"
    ) -> dict[int, dict[str, Any]]:
        """Return for each input row the tags of its words; its entities with text, place in characters and score."""
        words_of: dict[int, dict[int, tuple[str, float, int]]] = {}
        for index, words in parts:
            words_of.setdefault(index, {}).update(words)
        examples = self.datamodule.examples(split)
        predictions: dict[int, dict[str, Any]] = {}
        for index, words in words_of.items():
            example = examples[index]
            tags = whole_tags(words, len(example["words"]), spans=not self.tagging)
            predictions[index] = {} if self.tagging else {"entities": _entities(example, tags)}
            predictions[index]["prediction"] = [tag for tag, _ in tags]
            if self.tagging and example.get("divided"):  # else the row has them
                predictions[index]["words"] = [example["text"][start:end] for start, end in example["words"]]
        return predictions

    def describe(self) -> dict[str, Any]:
        """Return what the base says, and what the labels are of."""
        return {**super().describe(), "tagging": self.tagging}


def _numbered(batch: dict[str, Tensor]) -> Tensor:
    """Return (words, 3): the example, the number of the word in it, and its right tag."""
    gold = batch["gold"]
    rows, columns = torch.nonzero(gold >= 0).unbind(1)
    return torch.stack((batch["example"][rows], columns, gold[rows, columns]), 1)


def _entities(example: dict[str, Any], tags: list[tuple[str, float]]) -> list[dict[str, Any]]:
    """Return the entities in the tags of words, strictly as they are scored."""
    entities: list[dict[str, Any]] = []
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
    return entities
