"""Exact match and F1 of answers: as SQuAD defines them (arXiv 1606.05250, 1806.03822), and CMRC2018 (1810.07366)."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from .cjk import CMRC_CHINESE

Scoring = Literal["squad", "cmrc2018"]
CMRC_PUNCTUATION = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")


def normalized(text: str) -> str:
    """Return a text in lower case, without punctuation, articles and superfluous white space."""
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def exact(answer: str, gold: str) -> float:
    """Return whether two answers are the same after normalization."""
    return float(normalized(answer) == normalized(gold))


def f1(answer: str, gold: str) -> float:
    """Return the F1 of the words of two answers; where one has none, whether the other has none either."""
    words, right = normalized(answer).split(), normalized(gold).split()
    if not words or not right:
        return float(words == right)
    common = sum((Counter(words) & Counter(right)).values())
    return 2 * common / (len(words) + len(right)) if common else 0.0


def cmrc_exact(answer: str, gold: str) -> float:
    """Return whether two answers are the same without punctuation and case."""

    def plain(text: str) -> str:
        return "".join(c for c in text.lower().strip() if c not in CMRC_PUNCTUATION)

    return float(plain(answer) == plain(gold))


def cmrc_f1(answer: str, gold: str) -> float:
    """Return the F1 by the longest common run of Chinese characters and other words."""
    words, right = _segments(answer), _segments(gold)
    common = _longest_run(words, right)
    if not common:
        return 0.0
    precision, recall = common / len(words), common / len(right)
    return 2 * precision * recall / (precision + recall)


def _segments(text: str) -> list[str]:
    from nltk import word_tokenize

    segments: list[str] = []
    for part in re.split(
        f"({CMRC_CHINESE.pattern})", "".join(c for c in text.lower().strip() if c not in CMRC_PUNCTUATION)
    ):
        segments += [part] if CMRC_CHINESE.fullmatch(part) else word_tokenize(part, preserve_line=True)
    return segments


def _longest_run(first: list[str], second: list[str]) -> int:
    best, before = 0, [0] * (len(second) + 1)
    for word in first:
        row = [0]
        for place, second_word in enumerate(second):
            row.append(before[place] + 1 if word == second_word else 0)
        best, before = max(best, *row), row
    return best


SCORES = {"squad": (exact, f1), "cmrc2018": (cmrc_exact, cmrc_f1)}


def score(answer: str, golds: Sequence[str], scoring: Scoring = "squad") -> tuple[float, float]:
    """Return exact match and F1, each against the gold answer that it is best against.

    Args:
        answer: the prediction, empty for none.
        golds: the right answers; none where there is no answer.
        scoring: whose rules.
    """
    of_f1 = SCORES[scoring][1]
    return float(is_exact(answer, golds, scoring)), max(of_f1(answer, gold) for gold in _usable(golds, scoring))


def is_exact(answer: str, golds: Sequence[str], scoring: Scoring = "squad") -> bool:
    """Return whether an answer is one of the gold answers; of none, whether it is empty.

    Args:
        answer: the prediction, empty for none.
        golds: the right answers; none where there is no answer.
        scoring: whose rules.
    """
    of_exact = SCORES[scoring][0]
    return any(of_exact(answer, gold) for gold in _usable(golds, scoring))


def _usable(golds: Sequence[str], scoring: Scoring) -> Sequence[str]:
    if scoring == "squad":
        golds = [gold for gold in golds if normalized(gold)]
    return golds or [""]


def scoring_of(golds: Sequence[str]) -> Scoring:
    """Return whose rules suit: CMRC2018's where most letters of the answers are Chinese."""
    letters = [c for gold in golds for c in gold if c.isalpha()]
    return "cmrc2018" if letters and 2 * sum(bool(CMRC_CHINESE.match(c)) for c in letters) > len(letters) else "squad"


def best_threshold(scores: Sequence[float], odds: Sequence[float], answerable: Sequence[bool]) -> float:
    """Return the odds of no answer above which none should be given, for the highest score, as SQuAD 2.0's script.

    Args:
        scores: of the answers that would be given.
        odds: how much likelier no answer is than the best one.
        answerable: whether there is one.
    """
    order = sorted(range(len(odds)), key=lambda i: odds[i])
    current = best = float(len(answerable) - sum(answerable))
    threshold = odds[order[0]] - 1.0 if order else 0.0  # below all: no answer is given
    for i in order:
        current += scores[i] if answerable[i] else -1.0
        if current > best:
            best, threshold = current, odds[i]
    return threshold
