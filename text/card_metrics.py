"""What the Hub calls the metrics that are logged here."""

from __future__ import annotations

TYPES = {
    "mcc": "matthews_correlation",
    "pearson": "pearsonr",
    "spearman": "spearmanr",
    "bits_per_byte": "bits_per_byte",
    "bleu": "sacrebleu",
    "exact_match": "exact_match",
}
"""Where the two differ, or where a name's end is no metric."""
ENDS = ("accuracy", "precision", "recall", "f1", "exact_match", "perplexity", "loss")
BEGINNINGS = ("f1", "rouge", "precision", "recall", "accuracy")


def metric_type(name: str) -> str:
    """Return the Hub's name of a metric, such as `matthews_correlation` for `test/mcc`.

    Args:
        name: as it is logged.
    """
    short = name.rpartition("/")[2]
    if short in TYPES:
        return TYPES[short]
    for known in ENDS:
        if short == known or short.endswith(f"_{known}"):
            return known
    return next((known for known in BEGINNINGS if short.startswith(known)), short)
