"""Answers as spans: the best ones of each window, put together over the windows of a question, and scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from ...text.answers import Scoring, best_threshold, score, scoring_of

AnswerKind = Literal["exact_match", "f1", "has_answer_exact_match", "has_answer_f1", "no_answer_accuracy"]
NONE = -1e30
"""The score of a span that is not there."""


def best_spans(start: Tensor, end: Tensor, inside: Tensor, longest: int, count: int) -> tuple[Tensor, Tensor]:
    """Return the best spans of each row.

    Args:
        start: (rows, length), logits.
        end: (rows, length), logits.
        inside: (rows, length), whether a token may be part of an answer.
        longest: tokens of an answer at most.
        count: how many spans.

    Returns:
        (rows, count, 2) int64, the first and the last token; (rows, count), their scores, the best first and minus
        infinity where there are no more.
    """
    rows, length = start.shape
    scores = start.float().unsqueeze(2) + end.float().unsqueeze(1)
    places = torch.arange(length, device=start.device)
    distance = places[None, :] - places[:, None]
    allowed = inside.unsqueeze(2) & inside.unsqueeze(1) & (distance >= 0) & (distance < longest)
    scores = scores.masked_fill(~allowed, -torch.inf).view(rows, -1)
    values, chosen = scores.topk(min(count, scores.shape[1]), dim=1)
    return torch.stack((chosen // length, chosen % length), 2), values


@dataclass
class Answer:
    """The answer that the windows of a question come to.

    Args:
        spans: (start, end, score) in characters of the context, the best first.
        null: the score of no answer.
    """

    spans: list[tuple[int, int, float]]
    null: float

    @property
    def odds(self) -> float:
        """How much likelier no answer is than the best one."""
        return self.null - self.spans[0][2] if self.spans else float("inf")

    def text(self, context: str) -> str:
        """Return the best answer, a slice of the context."""
        return context[self.spans[0][0] : self.spans[0][1]] if self.spans else ""


def merged(windows: Sequence[Sequence[float]]) -> Answer:
    """Put the windows of one question together.

    Args:
        windows: of each the score of no answer, then start, end and score of each span.
    """
    spans: dict[tuple[int, int], float] = {}
    for window in windows:
        for i in range(1, len(window), 3):
            place, value = (int(window[i]), int(window[i + 1])), window[i + 2]
            if value > NONE:
                spans[place] = max(value, spans.get(place, -torch.inf))
    ranked = sorted(spans.items(), key=lambda item: (-item[1], item[0]))
    # The window that is least sure that there is none, as in BERT's code.
    return Answer([(s, e, value) for (s, e), value in ranked], min(window[0] for window in windows))


class AnswerScore(Metric):
    """Exact match or F1 over questions, 0 to 100.

    Args:
        kind: `exact_match` or `f1`, over all questions, or over those with an answer (`has_answer_f1`, ...) or the
            share of those without one that get none (`no_answer_accuracy`).
        scoring: whose rules; None goes by the language of the gold answers.

    Attributes:
        examples: the questions by number, with `context` and `answers`.
        fixed: the odds above which no answer is given; None takes the best one, which only makes sense on validation.
    """

    full_state_update = False
    higher_is_better = True
    windows: Any

    def __init__(
        self,
        kind: AnswerKind,
        scoring: Scoring | None = None,
    ) -> None:
        super().__init__()
        self.kind, self.scoring = kind, scoring
        self.examples: Any = None
        self.fixed: float | None = None
        self.add_state("windows", [], dist_reduce_fx="cat")

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Add windows: (rows, 2 + 3 * spans) float64: example, score of none, then start, end, score of each span."""
        self.windows.append(predictions)

    def answers(self) -> dict[int, Answer]:
        """Return the answer to every question, by its number."""
        rows: list[list[float]] = dim_zero_cat(self.windows).tolist() if len(self.windows) else []
        windows: dict[int, list[list[float]]] = {}
        for row in rows:
            windows.setdefault(int(row[0]), []).append(row[1:])
        return {example: merged(of_question) for example, of_question in sorted(windows.items())}

    def _scored(self) -> tuple[list[tuple[float, float]], list[float], list[bool]]:
        answers = self.answers()
        examples = [self.examples[number] for number in answers]
        scoring = self.scoring or scoring_of([gold for example in examples for gold in example["answers"]])
        scores, answerable = [], []
        for answer, example in zip(answers.values(), examples, strict=True):
            scores.append(score(answer.text(example["context"]), example["answers"], scoring))
            answerable.append(bool(example["answers"]))
        return scores, [answer.odds for answer in answers.values()], answerable

    def threshold(self) -> float:
        """Return the odds above which no answer should be given, for the highest F1; infinite where all have one."""
        scores, odds, answerable = self._scored()
        return float("inf") if all(answerable) else best_threshold([f for _, f in scores], odds, answerable)

    def compute(self) -> Tensor:
        """Return a scalar, float32."""
        scores, odds, answerable = self._scored()
        threshold = self.fixed
        if threshold is None:
            threshold = float("inf") if all(answerable) else best_threshold([f for _, f in scores], odds, answerable)
        pairs = [
            (float(not has),) * 2 if odd > threshold else pair
            for pair, odd, has in zip(scores, odds, answerable, strict=True)
        ]
        part = [True if self.kind in ("exact_match", "f1") else has == (self.kind[0] == "h") for has in answerable]
        chosen = [pair[self.kind.endswith("f1")] for pair, wanted in zip(pairs, part, strict=True) if wanted]
        return torch.tensor(100.0 * sum(chosen) / max(1, len(chosen)))
