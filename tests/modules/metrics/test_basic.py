"""Scores that are counted without waiting for a GPU, against torchmetrics' own."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import matthews_corrcoef
from torchmetrics import Metric
from torchmetrics.classification import MulticlassConfusionMatrix, MulticlassF1Score, MulticlassMatthewsCorrCoef

from pretune.modules.metrics.basic import F1, BinaryF1, Confusion, Matthews
from pretune.modules.metrics.multilabel import TunedF1

PAIRS = [
    (F1(5, "macro"), MulticlassF1Score(5, average="macro")),
    (F1(5, "weighted"), MulticlassF1Score(5, average="weighted")),
    (F1(5, "none"), MulticlassF1Score(5, average="none")),
    (Matthews(5), MulticlassMatthewsCorrCoef(5)),
    (Confusion(5), MulticlassConfusionMatrix(5)),
]


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_they_count_as_torchmetrics_does(ours: Metric, theirs: Metric) -> None:
    generator = torch.Generator().manual_seed(0)
    for rows in (7, 1, 30):
        logits = torch.randn(rows, 5, generator=generator)
        targets = torch.randint(4, (rows,), generator=generator)  # one label never occurs
        ours.update(logits, targets)
        theirs.update(logits, targets)
    torch.testing.assert_close(ours.compute(), theirs.compute())


def test_f1_of_the_second_of_two() -> None:
    metric = BinaryF1()
    metric.update(torch.tensor([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]), torch.tensor([1, 0, 1, 0]))
    assert metric.compute() == pytest.approx(0.5)  # precision 1/2, recall 1/2


@pytest.mark.parametrize(("right", "found"), [([0, 0, 1, 1], [0, 1, 1, 1]), ([0, 0, 0], [0, 0, 0]), ([2, 1], [1, 2])])
def test_matthews_is_that_of_glue(right: list[int], found: list[int]) -> None:
    metric = Matthews(3)
    metric.update(torch.eye(3)[found], torch.tensor(right))
    assert float(metric.compute()) == pytest.approx(matthews_corrcoef(right, found))


def test_a_hundred_thousand_labels_are_counted_one_by_one() -> None:
    """Their squares are 80 GB."""
    labels = 100_000
    logits = torch.zeros(2, labels)
    logits[0, 7] = logits[1, 9] = 1.0
    for metric in (F1(labels, "macro"), Matthews(labels)):
        metric.update(logits, torch.tensor([7, 8]))
        assert sum(state.numel() for state in metric.metric_state.values()) == 3 * labels
        metric.compute()
    tuned = TunedF1(labels)
    assert tuned.counts.nbytes < 200_000_000
