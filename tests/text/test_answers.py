"""Against scorers written here once more from the published definitions, with their quirks, on edge cases."""

from __future__ import annotations

import itertools
import random
import re
import string
from collections import Counter, OrderedDict
from typing import Any

import pytest
import torch

from pretune.modules.metrics.answer_spans import AnswerScore, best_spans, merged
from pretune.text.answers import best_threshold, cmrc_exact, cmrc_f1, exact, f1, score, scoring_of


def plain_normalize(s: str) -> str:
    s = s.lower()
    s = "".join(ch for ch in s if ch not in set(string.punctuation))
    s = re.sub(re.compile(r"\b(a|an|the)\b", re.UNICODE), " ", s)
    return " ".join(s.split())


def plain_f1(gold: str, pred: str) -> float:
    gold_toks, pred_toks = plain_normalize(gold).split(), plain_normalize(pred).split()
    same = sum((Counter(gold_toks) & Counter(pred_toks)).values())
    if len(gold_toks) == 0 or len(pred_toks) == 0:
        return int(gold_toks == pred_toks)
    if same == 0:
        return 0
    precision, recall = same / len(pred_toks), same / len(gold_toks)
    return (2 * precision * recall) / (precision + recall)


EDGES = [
    "",
    "the",
    "The end.",
    "an end",
    "a",
    "U.S.A.",
    "USA",
    "Beyoncé",
    "beyoncé's",
    "10,000",
    "10000",
    "42%",
    "北京",
]
EDGES += ["  two   words ", "two-words", "naïve—text", "“quoted”", '"quoted"', "theatre", "a the an", "the the cat"]


def test_answers_are_compared_as_published() -> None:
    for answer, gold in itertools.product(EDGES, EDGES):
        assert f1(answer, gold) == pytest.approx(plain_f1(gold, answer), abs=0)
        assert exact(answer, gold) == float(plain_normalize(answer) == plain_normalize(gold))


def test_hand_computed() -> None:
    assert score("the Cat!", ["dog", "A cat"]) == (1.0, 1.0)
    assert score("black cat", ["the cat sat", "dog"]) == (0.0, 0.5)
    assert score("", []) == (1.0, 1.0)
    assert score("cat", []) == (0.0, 0.0)
    assert score("the", []) == (1.0, 1.0)  # which the official script takes for empty
    assert score("x", ["the", "x y"]) == (0.0, 2 / 3)  # a gold answer that is empty after normalisation is left out


def test_chinese_is_compared_as_cmrc2018_does() -> None:
    assert cmrc_exact("《红楼梦》", "红楼梦。") == 1
    assert cmrc_exact("红楼", "红楼梦") == 0
    assert cmrc_f1("红楼梦", "《红楼梦》") == 1
    assert cmrc_f1("在红楼", "红楼梦") == pytest.approx(2 / 3)
    assert cmrc_f1("红梦楼", "红楼梦") == pytest.approx(1 / 3)  # the longest run, not the common characters
    assert cmrc_f1("NBA 球队", "nba球队") == 1
    assert cmrc_f1("1998年", "1998年5月") == pytest.approx(2 * 1 * (2 / 4) / (1 + 2 / 4))
    assert cmrc_f1("火", "水") == 0
    assert scoring_of(["红楼梦", "NBA"]) == "squad" or scoring_of(["红楼梦", "北京大学"]) == "cmrc2018"
    assert scoring_of(["a cat", "北京"]) == "squad"


def plain_best_thresh(
    preds: dict[str, str], scores: dict[str, float], na: dict[str, float], has: dict[str, bool]
) -> Any:
    num_no_ans = sum(1 for k in has if not has[k])
    cur_score = best_score = num_no_ans
    best_thresh = 0.0
    for qid in sorted(na, key=lambda k: na[k]):
        diff = scores[qid] if has[qid] else (-1 if preds[qid] else 0)
        cur_score += diff
        if cur_score > best_score:
            best_score, best_thresh = cur_score, na[qid]
    return 100.0 * best_score / len(scores), best_thresh


@pytest.mark.parametrize("seed", range(10))
def test_scores_over_windows_are_the_official_ones(seed: int) -> None:
    """Any number of windows, in any order and batches, with and without answers."""
    rng = random.Random(seed)
    words = ["the", "old", "cat", "sat", "on", "a", "mat", "of", "New", "York", "in", "10,000", "B.C."]
    examples, windows = [], []
    for number in range(12):
        context = " ".join(rng.choice(words) for _ in range(20))
        starts = [0, *(i + 1 for i, c in enumerate(context) if c == " ")]
        golds = [] if rng.random() < 0.4 else [" ".join(context.split()[i : i + 2]) for i in rng.sample(range(18), 2)]
        examples.append({"context": context, "answers": golds})
        for _ in range(rng.randint(1, 3)):
            spans = []
            for _ in range(3):
                begin = rng.choice(starts)
                spans += [
                    begin,
                    context.find(" ", begin + 2) if " " in context[begin + 2 :] else len(context),
                    rng.random(),
                ]
            windows.append([number, rng.random(), *spans])
    preds, na = OrderedDict(), OrderedDict()
    for number, example in enumerate(examples):
        mine = [w for w in windows if w[0] == number]
        best = max((w[i + 2], -w[i], -w[i + 1]) for w in mine for i in (2, 5, 8))
        preds[str(number)] = str(example["context"])[-int(best[1]) : -int(best[2])]
        na[str(number)] = min(w[1] for w in mine) - best[0]
    has = {str(i): bool(e["answers"]) for i, e in enumerate(examples)}
    raw: dict[str, dict[str, float]] = {"exact_match": {}, "f1": {}}
    for qid, answer in preds.items():
        golds = [g for g in examples[int(qid)]["answers"] if plain_normalize(g)] or [""]
        raw["f1"][qid] = max(plain_f1(g, answer) for g in golds)
        raw["exact_match"][qid] = max(int(plain_normalize(g) == plain_normalize(answer)) for g in golds)
    expected, threshold = plain_best_thresh(preds, raw["f1"], na, has)
    rng.shuffle(windows)
    metric = AnswerScore("f1")
    other = AnswerScore("exact_match")
    metric.examples = other.examples = examples
    for part in range(0, len(windows), 5):
        for each in (metric, other):
            each.update(torch.tensor(windows[part : part + 5], dtype=torch.float64), torch.zeros(0))
    if all(has.values()):
        threshold = float("inf")
    elif expected == 100.0 * (len(has) - sum(has.values())) / len(has):
        threshold = metric.threshold()  # none is given: anything below all odds
    assert metric.threshold() == threshold
    assert float(metric.compute()) == pytest.approx(expected, abs=1e-4)
    kept = {q: float(not has[q]) if na[q] > threshold else value for q, value in raw["exact_match"].items()}
    assert float(other.compute()) == pytest.approx(100 * sum(kept.values()) / len(kept), abs=1e-4)


def test_the_threshold_by_hand() -> None:
    assert best_threshold([1.0, 1.0, 1.0], [-3.0, -1.0, 2.0], [True, False, True]) == -3.0
    assert best_threshold([1.0, 1.0], [-3.0, -1.0], [True, True]) == -1.0
    assert best_threshold([0.0, 1.0], [-3.0, -1.0], [False, False]) < -3.0


def test_the_best_spans_are_those_of_brute_force() -> None:
    generator = torch.Generator().manual_seed(0)
    start, end = torch.randn(3, 12, generator=generator), torch.randn(3, 12, generator=generator)
    inside = torch.ones(3, 12, dtype=torch.bool)
    inside[:, :3] = False
    inside[1, 9:] = False
    spans, scores = best_spans(start, end, inside, 4, 5)
    for row in range(3):
        found = sorted(
            (
                (float(start[row, i] + end[row, j]), i, j)
                for i in range(12)
                for j in range(i, min(12, i + 4))
                if inside[row, i] and inside[row, j]
            ),
            reverse=True,
        )[:5]
        assert spans[row].tolist() == [[i, j] for _, i, j in found]
        torch.testing.assert_close(scores[row], torch.tensor([value for value, _, _ in found]))


def test_windows_of_a_question_are_put_together() -> None:
    answer = merged([[2.0, 0, 3, 1.0, 4, 6, 0.5], [1.0, 4, 6, 3.0, -1e30, -1e30, -1e30]])
    assert answer.spans == [(4, 6, 3.0), (0, 3, 1.0)]
    assert answer.null == 1.0
    assert answer.odds == -2.0
