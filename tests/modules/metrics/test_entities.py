from __future__ import annotations

import random

import pytest
import torch
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from pretune.modules.metrics.entities import EntityScore

LABELS = ["O", "B-A", "I-A", "B-B", "I-B"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("seed", range(20))
def test_scores_are_those_of_seqeval_in_strict_mode(seed: int) -> None:
    rng = random.Random(seed)
    gold = [[rng.choice(LABELS) for _ in range(rng.randint(1, 12))] for _ in range(rng.randint(1, 8))]
    guess = [[tag if rng.random() < 0.7 else rng.choice(LABELS) for tag in tags] for tags in gold]
    words = [(i, w) for i, tags in enumerate(gold) for w in range(len(tags))]
    rng.shuffle(words)  # whatever the order and the batches
    for kind, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        metric = EntityScore(LABELS, kind)  # type: ignore[arg-type]
        for start in range(0, len(words), 5):
            part = words[start : start + 5]
            rows = torch.tensor([[i, w, LABELS.index(guess[i][w])] for i, w in part])
            metric.update(rows, torch.tensor([LABELS.index(gold[i][w]) for i, w in part]))
        expected = score(gold, guess, mode="strict", scheme=IOB2)
        assert float(metric.compute()) == pytest.approx(expected, abs=1e-6)


def test_nothing_is_zero() -> None:
    metric = EntityScore(LABELS, "f1")
    metric.update(torch.tensor([[0, 0, 0]]), torch.tensor([0]))
    assert float(metric.compute()) == 0


def test_a_metric_that_is_made_on_a_device_counts_on_the_cpu() -> None:
    """As Lightning makes networks, and what belongs to them, on the GPU at once."""
    with torch.device("meta"):
        metric = EntityScore(LABELS, "f1")
    metric.update(torch.tensor([[0, 0, 1], [0, 1, 0]]), torch.tensor([1, 0]))
    assert float(metric.compute()) == 1


def test_words_that_count_elsewhere_are_left_out() -> None:
    metric = EntityScore(LABELS, "f1")
    metric.update(torch.tensor([[0, 0, 1], [0, -1, 1]]), torch.tensor([1, 0]))
    assert float(metric.compute()) == 1
