"""The rows of a test as numbers: of which kind they are, what is right, how sure the model was."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Literal

import numpy as np

from ...text.answers import score, scoring_of
from ...text.tags import spans_of
from .bootstrap import Measure, f1, pearson, ratio
from .run import Row

Kind = Literal["label", "labels", "number", "entities", "tags", "answer", "choice"]
Entity = tuple[int, int, str]
"""First character, the one after the last, and the kind."""


class Tested:
    """The rows of a test.

    Args:
        rows: as `test_predictions.jsonl` has them; at least one.
    """

    __test__ = False  # it is no test of pytest's

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = list(rows)
        self.kind: Kind = _kind(self.rows[0])

    # ------------------------------------------------------------------ scores

    @cached_property
    def right(self) -> np.ndarray:
        """(rows,) float64: whether a prediction is wholly right; of numbers, minus how far it is off."""
        if self.kind == "number":
            off: np.ndarray = -np.abs(self.numbers[:, 0] - self.numbers[:, 1])
            return off
        if self.kind == "answer":
            return self._answers[:, 0]
        return np.array([self._is_right(row) for row in self.rows], np.float64)

    def _is_right(self, row: Row) -> bool:
        if self.kind == "entities":
            return gold_entities(row) == found_entities(row)
        if self.kind == "tags":
            return bool(row.get("tags") == row["prediction"])
        if self.kind == "labels":
            return set(row.get("label", [])) == set(row["prediction"])
        return bool(row.get("label") == row["prediction"])

    @cached_property
    def measures(self) -> list[Measure]:
        """Scores that follow from sums over rows; the first is the one that groups of rows are compared by."""
        ones = np.ones(len(self.rows))
        if self.kind == "number":
            gold, predicted = self.numbers.T
            sums = np.stack((ones, gold, predicted, gold**2, predicted**2, gold * predicted), 1)
            error = np.stack(((gold - predicted) ** 2, ones), 1)
            return [Measure("mean squared error", error, ratio), Measure("pearson", sums, pearson)]
        if self.kind == "answer":
            exact, words = 100 * self._answers.T
            pairs = (("f1", words), ("exact_match", exact))
            return [Measure(name, np.stack((values, ones), 1), ratio) for name, values in pairs]
        if self.kind in ("entities", "labels"):
            counts = np.array([self._overlap(row) for row in self.rows], np.float64)
            parts = {"f1": (counts, f1), "precision": (counts[:, :2], ratio), "recall": (counts[:, ::2], ratio)}
            by_label = [Measure(name, *part) for name, part in parts.items()]
            micro = [Measure("f1_micro", by_label[0].parts, f1)]
            return by_label if self.kind == "entities" else [self._accuracy(), *micro]
        if self.kind == "tags":
            words = [
                (sum(a == b for a, b in zip(row.get("tags", []), row["prediction"], strict=False)), len(row["tags"]))
                for row in self.rows
            ]
            return [Measure("accuracy", np.array(words, np.float64), ratio)]
        return [self._accuracy()]

    def _accuracy(self) -> Measure:
        return Measure("accuracy", np.stack((self.right, np.ones(len(self.rows))), 1), ratio)

    def _overlap(self, row: Row) -> tuple[int, int, int]:
        gold: set[Any] = gold_entities(row) if self.kind == "entities" else set(row.get("label", []))
        predicted: set[Any] = found_entities(row) if self.kind == "entities" else set(row["prediction"])
        return len(gold & predicted), len(predicted), len(gold)

    @cached_property
    def numbers(self) -> np.ndarray:
        """(rows, 2) float64: of numbers, what is right and what was predicted."""
        return np.array([(row.get("label", np.nan), row["prediction"]) for row in self.rows], np.float64)

    @cached_property
    def _answers(self) -> np.ndarray:
        golds = [row.get("answers", []) for row in self.rows]
        rules = scoring_of([text for texts in golds for text in texts])
        pairs = zip(self.rows, golds, strict=True)
        return np.array([score(row["prediction"], texts, rules) for row, texts in pairs], np.float64)

    # ------------------------------------------------------------------ confidence

    @cached_property
    def confidence(self) -> np.ndarray | None:
        """(rows,) float64: how sure the model was of its prediction; None where that is not known."""
        confidences = [_confidence(self.kind, row) for row in self.rows]
        return None if any(value is None for value in confidences) else np.array(confidences, np.float64)

    def chances(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return probabilities that were given, and whether what they were given for is so; None: there are none.

        Of single labels, endings and answers there is one a row, that of what was chosen; of several labels one for
        each label; of entities one for each that was found.
        """
        if self.kind == "labels":
            pairs = [(p, name in row["label"]) for row in self.rows for name, p in row.get("probabilities", {}).items()]
        elif self.kind == "entities":
            pairs = [
                (e["score"], (e["start"], e["end"], e["label"]) in gold)
                for row in self.rows
                for gold in [gold_entities(row)]
                for e in row.get("entities", [])
            ]
        elif self.confidence is not None and self.kind in ("label", "choice", "answer"):
            return self.confidence, self.right
        else:
            return None
        if not pairs:
            return None
        given, true = np.array(pairs, np.float64).T
        return given, true

    # ------------------------------------------------------------------ groups

    @cached_property
    def lengths(self) -> tuple[np.ndarray, str]:
        """(rows,) int64, and of what: tokens where they were counted, words of tagged ones, else characters."""
        if "tokens" in self.rows[0]:
            return np.array([row.get("tokens", 0) for row in self.rows]), "tokens"
        if "words" in self.rows[0]:
            return np.array([len(row.get("words", [])) for row in self.rows]), "words"
        name = "context" if "context" in self.rows[0] else "text"
        return np.array([len(str(row.get(name, ""))) for row in self.rows]), f"characters of the {name}"

    @cached_property
    def sources(self) -> np.ndarray:
        """(rows,): the file that each row is from."""
        return np.array([str(row.get("where", "")).rpartition(":")[0].rpartition("/")[2] for row in self.rows])


def gold_entities(row: Row) -> set[Entity]:
    """Return what should have been found in a text."""
    words = row.get("words", [])
    return {(words[a][0], words[b - 1][1], kind) for a, b, kind in spans_of(row.get("tags", [])) if b <= len(words)}


def found_entities(row: Row) -> set[Entity]:
    """Return what was found in a text."""
    return {(entity["start"], entity["end"], entity["label"]) for entity in row.get("entities", [])}


def _kind(row: Row) -> Kind:
    if "answers" in row:
        return "answer"
    if "entities" in row:
        return "entities"
    if "endings" in row:
        return "choice"
    if isinstance(row["prediction"], list):
        return "tags" if "tags" in row else "labels"
    return "number" if isinstance(row["prediction"], int | float) else "label"


def _confidence(kind: Kind, row: Row) -> float | None:
    if kind == "answer":
        return row.get("score")
    chances = row.get("probabilities")
    if kind == "choice" and isinstance(chances, list) and row["prediction"] < len(chances):
        return float(chances[row["prediction"]])
    if kind == "label" and isinstance(chances, dict):
        return chances.get(row["prediction"])
    if kind == "labels" and isinstance(chances, dict):  # of the label that it is least sure of
        return min((max(p, 1 - p) for p in chances.values()), default=None)
    if kind == "entities":
        return min((entity["score"] for entity in row.get("entities", [])), default=1.0)
    return None
