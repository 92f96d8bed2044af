"""Scores that both sides' predictions get alike, from their published definitions; nothing but the standard library."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize(answer: str) -> list[str]:
    """The words of an answer as SQuAD compares them: lower case, no punctuation, no articles."""
    return re.sub(r"\b(a|an|the)\b", " ", answer.lower().translate(PUNCTUATION)).split()


def word_f1(found: list[str], gold: list[str]) -> float:
    """Harmonic mean of precision and recall over words, each counted as often as it occurs."""
    common = (Counter(found) & Counter(gold)).total()
    if not common:
        return 0.0
    precision, recall = common / len(found), common / len(gold)
    return 2 * precision * recall / (precision + recall)


def squad_scores(predictions: dict[str, str], golds: dict[str, list[str]]) -> dict[str, float]:
    """Exact match and F1 of SQuAD 1.1: each question by its best gold answer, means over all questions.

    Args:
        predictions: an answer for each question; one that is missing counts as wrong.
        golds: the answers of each question.
    """
    exact = f1 = 0.0
    for question, answers in golds.items():
        if question in predictions:
            found = normalize(predictions[question])
            exact += max(found == normalize(answer) for answer in answers)
            f1 += max(word_f1(found, normalize(answer)) for answer in answers)
    return {"exact_match": exact / len(golds), "f1": f1 / len(golds)}


def entities(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """The entities of a sentence in IOB2, read strictly: each begins with B-, and I- of its type follow."""
    found, start, kind = set(), 0, None
    for place, tag in enumerate([*tags, "O"]):
        if kind is not None and tag != f"I-{kind}":
            found.add((kind, start, place))
            kind = None
        if tag.startswith("B-"):
            start, kind = place, tag[2:]
    return found


def entity_f1(golds: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> float:
    """Entity-level F1 over all sentences, as seqeval computes it in strict mode for IOB2."""
    pairs = [(entities(gold), entities(found)) for gold, found in zip(golds, predictions, strict=True)]
    right = sum(len(gold & found) for gold, found in pairs)
    named = sum(len(gold) + len(found) for gold, found in pairs)
    return 2 * right / named if named else 0.0
