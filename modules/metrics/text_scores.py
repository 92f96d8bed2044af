"""Scores of written texts against reference texts: ROUGE, exact match, BLEU, chrF.

Metrics over strings whose states are sums in tensors: they add up over batches and processes. ROUGE and exact match are
shares (0 to 1), means over texts; BLEU and chrF are those of a whole corpus (0 to 100), as sacrebleu prints them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from ...text.cjk import IDEOGRAPHS, KANA

BleuTokenizer = Literal["13a", "zh", "intl", "char", "none"]
ROUGE_TYPES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
NAMES = (*ROUGE_TYPES, "exact_match", "chrf", "bleu")
"""Of all scores of this file."""
WORDS = re.compile(rf"[a-z0-9]+|[{IDEOGRAPHS}{KANA}]|[^\W\d_\u0000-\u024f{IDEOGRAPHS}{KANA}]+")
SENTENCE_END = re.compile(r"(?<=[.!?])[^\S\n]+|(?<=[。！？])[^\S\n]*(?=\S)")


def text_scores(tokenizer: BleuTokenizer = "13a") -> MetricCollection:
    """Return all scores of this file, each updated with (predictions, references).

    Args:
        tokenizer: of BLEU.
    """
    metrics: dict[str, Any] = {"rouge": Rouge(), "exact_match": ExactMatch(), "chrf": ChrF(), "bleu": Bleu(tokenizer)}
    return MetricCollection(metrics, compute_groups=False)


def bleu_tokenizer(texts: Iterable[str]) -> BleuTokenizer:
    """Return `zh` for Chinese and `char` for Japanese texts, `13a` (that of WMT) for others."""
    joined = "".join(texts)
    letters = sum(character.isalpha() for character in joined)
    ideographs, kana = (len(re.findall(f"[{kind}]", joined)) for kind in (IDEOGRAPHS, KANA))
    if ideographs + kana <= letters / 2:
        return "13a"
    return "char" if kana > 0.1 * letters else "zh"


class TextMetric(Metric):
    """The base of scores of texts: sums over them.

    Args:
        size: how many sums.
    """

    full_state_update = False
    higher_is_better = True
    sums: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        # Double: exact for counts, and means that hardly depend on the batches; Apple's GPUs have no doubles.
        dtype = torch.float32 if torch.backends.mps.is_available() else torch.float64
        self.add_state("sums", torch.zeros(size, dtype=dtype), dist_reduce_fx="sum")

    def update(self, predictions: Sequence[str], references: Sequence[str]) -> None:
        """Add texts and what each should have been."""
        for prediction, reference in zip(predictions, references, strict=True):
            counts = self.count(prediction, reference)
            self.sums += torch.tensor(counts, dtype=self.sums.dtype, device=self.sums.device)

    def count(self, prediction: str, reference: str) -> list[float]:
        """Return what one text adds to the sums, (size,)."""
        raise NotImplementedError


class ExactMatch(TextMetric):
    """The share of texts that are the reference, white space aside."""

    def __init__(self) -> None:
        super().__init__(2)

    def count(self, prediction: str, reference: str) -> list[float]:
        """Return matches and texts: 1 or 0, and 1."""
        return [float(prediction.split() == reference.split()), 1]

    def compute(self) -> Tensor:
        """Return a scalar, float32."""
        return (self.sums[0] / self.sums[1]).float()


class Rouge(TextMetric):
    """ROUGE-1, -2, -L and -Lsum, F1 (Lin, 2004), by Google's `rouge-score` with Porter's stemmer.

    For English it is that package's own number. Its tokenizer drops everything but a-z and 0-9; here Chinese and
    Japanese characters are words of their own, and words of other alphabets stay. The sentences of ROUGE-Lsum are the
    lines of a text, divided further after full stops, question and exclamation marks.
    """

    def __init__(self) -> None:
        super().__init__(len(ROUGE_TYPES) + 1)
        from rouge_score.rouge_scorer import RougeScorer

        self._scorer = RougeScorer(list(ROUGE_TYPES), tokenizer=RougeTokenizer())

    def count(self, prediction: str, reference: str) -> list[float]:
        """Return the F1 of each kind, texts."""
        lines = (SENTENCE_END.sub("\n", text.strip()) for text in (reference, prediction))
        scores = self._scorer.score(*lines)
        return [*(scores[kind].fmeasure for kind in ROUGE_TYPES), 1]

    def compute(self) -> dict[str, Tensor]:
        """Return a scalar, float32, for each kind."""
        means = (self.sums[:-1] / self.sums[-1]).float()
        return dict(zip(ROUGE_TYPES, means, strict=True))


class RougeTokenizer:
    """Lower-case words, stemmed if they have more than three letters, as `rouge-score` does."""

    def __init__(self) -> None:
        from nltk.stem.porter import PorterStemmer

        self._stem = PorterStemmer().stem

    def tokenize(self, text: str) -> list[str]:
        """Return the words of a text; every Chinese or Japanese character is one."""
        words = WORDS.findall(text.lower())
        return [self._stem(word) if len(word) > 3 and word.isascii() else word for word in words]


class Bleu(TextMetric):
    """BLEU of a corpus (Papineni et al., 2002), by `sacrebleu`, exponentially smoothed.

    Args:
        tokenizer: of sacrebleu.
    """

    ORDER = 4

    def __init__(self, tokenizer: BleuTokenizer = "13a") -> None:
        super().__init__(2 * self.ORDER + 2)
        from sacrebleu.metrics.bleu import BLEU

        self._bleu = BLEU(tokenize=tokenizer, effective_order=True)  # of one sentence; the sums need no smoothing

    def count(self, prediction: str, reference: str) -> list[float]:
        """Return the right n-grams and the n-grams of each order, and the two lengths."""
        score = self._bleu.sentence_score(prediction, [reference])
        return [*score.counts, *score.totals, score.sys_len, score.ref_len]

    def compute(self) -> Tensor:
        """Return a scalar, float32."""
        sums = [round(number) for number in self.sums.tolist()]
        right, every, (length, wanted) = sums[: self.ORDER], sums[self.ORDER : -2], sums[-2:]
        score = self._bleu.compute_bleu(right, every, length, wanted, smooth_method="exp")
        return torch.tensor(score.score, device=self.sums.device)


class ChrF(TextMetric):
    """chrF of a corpus (Popović, 2015) as `sacrebleu` computes it: character n-grams up to 6, recall counts twice."""

    ORDER, BETA = 6, 2.0

    def __init__(self) -> None:
        super().__init__(3 * self.ORDER)

    def count(self, prediction: str, reference: str) -> list[float]:
        """Return for each order the n-grams of both texts, and those they share."""
        counts: list[float] = []
        for order in range(1, self.ORDER + 1):
            written, wanted = (_ngrams(text, order) for text in (prediction, reference))
            # n-grams that the reference is too short for are not held against the prediction
            counts += [written.total() if wanted else 0, wanted.total(), (written & wanted).total()]
        return counts

    def compute(self) -> Tensor:
        """Return a scalar, float32."""
        written, wanted, shared = self.sums.view(self.ORDER, 3).unbind(1)
        counted = (written > 0) & (wanted > 0)
        if not shared.any():
            return torch.tensor(0.0, device=self.sums.device)
        precision, recall = (shared[counted] / written[counted]).mean(), (shared[counted] / wanted[counted]).mean()
        weight = self.BETA**2
        return (100 * (1 + weight) * precision * recall / (weight * precision + recall)).float()


def _ngrams(text: str, order: int) -> Counter[str]:
    characters = "".join(text.split())
    return Counter(characters[i : i + order] for i in range(len(characters) - order + 1))
