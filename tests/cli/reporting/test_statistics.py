"""Intervals, confusion, calibration and suspect labels: against scikit-learn, and where the truth is known."""

from __future__ import annotations

import made_runs
import numpy as np
import pytest
from sklearn.metrics import f1_score, matthews_corrcoef, precision_recall_fscore_support

from pretune.cli.reporting.bootstrap import Measure, pearson, ratio, resampled_sums
from pretune.cli.reporting.calibration import calibration
from pretune.cli.reporting.confusion import Confusion
from pretune.cli.reporting.suspects import suspects
from pretune.cli.reporting.tested import Tested

RNG = np.random.default_rng(3)


def test_the_interval_of_an_accuracy_is_that_of_its_standard_error() -> None:
    right = (np.arange(400) < 300).astype(float)
    found = Measure("accuracy", np.stack((right, np.ones(400)), 1), ratio).estimate()
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert found.value == 0.75
    assert (found.low, found.high) == (pytest.approx(0.75 - half, abs=0.006), pytest.approx(0.75 + half, abs=0.006))
    assert found == Measure("accuracy", np.stack((right, np.ones(400)), 1), ratio).estimate()


def test_sums_are_of_as_many_rows_as_there_are() -> None:
    assert (resampled_sums(np.ones((7, 1)), 50) == 7).all()


def test_correlation_follows_from_sums() -> None:
    x = RNG.normal(size=99)
    y = x + RNG.normal(size=99)
    parts = np.stack((np.ones(99), x, y, x * x, y * y, x * y), 1)
    assert float(pearson(parts.sum(0))) == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert np.isnan(pearson(np.array([3.0, 3.0, 1.0, 3.0, 1.0, 1.0])))  # one of them does not vary


def test_confusion_scores_are_those_of_scikit_learn() -> None:
    gold, found = RNG.integers(0, 4, 300), RNG.integers(0, 4, 300)
    found[:200] = gold[:200]
    names = ["a", "b", "c", "d", "never"]
    confusion = Confusion.of_rows([names[i] for i in gold], [names[i] for i in found], names)
    overall, each = confusion.estimates()
    assert overall["f1"].value == pytest.approx(f1_score(gold, found, average="macro"))
    assert overall["mcc"].value == pytest.approx(matthews_corrcoef(gold, found))
    assert overall["accuracy"].low < (gold == found).mean() < overall["accuracy"].high
    precision, recall, f1, support = precision_recall_fscore_support(gold, found)
    for place in range(4):
        assert each[place]["precision"].value == pytest.approx(precision[place])
        assert each[place]["recall"].value == pytest.approx(recall[place])
        assert each[place]["f1"].value == pytest.approx(f1[place])
        assert each[place]["f1"].rows == support[place]
    assert (confusion.matrix() == Confusion.of_matrix(names, confusion.matrix().tolist()).matrix()).all()


def test_calibration_error_of_what_is_known() -> None:
    given = np.repeat([0.95, 0.65], 100)
    true = np.concatenate((np.arange(100) < 95, np.arange(100) < 45)).astype(float)
    found = calibration(given, true)
    assert found.error == pytest.approx(0.1)
    assert [b.count for b in found.bins] == [100, 100]
    assert found.bins[0].low < 0.45 < found.bins[0].high
    assert calibration(np.ones(3), np.ones(3)).error == 0


def test_swapped_labels_are_suspected_and_no_others() -> None:
    rows = []
    for number in range(60):
        right, other = ("a", "b") if number % 2 else ("b", "a")
        rows.append({"label": right, "probabilities": {right: 0.8, other: 0.2}})
    rows[7] = {"label": "b", "probabilities": {"a": 0.95, "b": 0.05}}
    rows[8] = {"label": "a", "probabilities": {"a": 0.15, "b": 0.85}}
    rows[9] = {"label": "a", "probabilities": {"a": 0.45, "b": 0.55}}  # wrong, but the model is not sure
    assert [(s.number, s.label, s.likelier) for s in suspects(rows)] == [(7, "b", "a"), (8, "a", "b")]


def test_measures_of_entities_and_answers() -> None:
    found = {measure.name: measure.value() for measure in Tested(made_runs.tagged()).measures}
    assert found == {"f1": pytest.approx(4 / 8), "precision": pytest.approx(2 / 4), "recall": pytest.approx(2 / 4)}
    found = {measure.name: measure.value() for measure in Tested(made_runs.answered()).measures}
    assert found["exact_match"] == 25.0
