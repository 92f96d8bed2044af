"""Metrics by the Hub's names."""

from __future__ import annotations

import pytest

from pretune.text.card_metrics import metric_type


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("test/mcc", "matthews_correlation"), ("val/f1_weighted", "f1"), ("test/mlm_accuracy", "accuracy"),
        ("test/spearman", "spearmanr"), ("test/rouge2", "rouge"), ("has_answer_exact_match", "exact_match"),
        ("test/has_answer_f1", "f1"), ("val/perplexity", "perplexity"), ("test/bleu", "sacrebleu"),
        ("test/of_my_own", "of_my_own"), ("test/precision", "precision"),
    ],
)  # fmt: skip
def test_names(name: str, known: str) -> None:
    assert metric_type(name) == known
