from __future__ import annotations

import pytest
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF
from tests_support import sentence

from pretune.modules.metrics.text_scores import ROUGE_TYPES, Bleu, ChrF, ExactMatch, Rouge, bleu_tokenizer, text_scores

WANTED = [sentence(i, 6 + i % 9) for i in range(23)]
WRITTEN = [sentence(i + i % 3, 4 + i % 11) if i % 5 else sentence(i, 6 + i % 9) for i in range(23)]
ENGLISH = [
    ("The dogs were running, quickly.", "A dog runs quickly!"),
    ("It's 3.5% of US users\nwho say so", "3.5 percent of users in the US say so"),
    ("", "nothing was written"),
    ("café naïve", "cafe naive"),
    ("one", "one"),
    ("his was", "hi wa"),  # words of three letters are not stemmed
    ("a longer text", "one"),
]
CHINESE = [
    ("今天天气很好，我们去公园。", "今天天气真好。我们去了公园！"),
    ("他买了3本书", "他买了 3 本新书"),
    ("好", "不好"),
]


@pytest.mark.parametrize("pairs", [ENGLISH, list(zip(WRITTEN, WANTED, strict=True))])
def test_rouge_is_that_of_the_package(pairs: list[tuple[str, str]]) -> None:
    scorer = RougeScorer(list(ROUGE_TYPES), use_stemmer=True)
    metric = Rouge()
    for written, wanted in pairs:
        metric.update([written], [wanted])
    found = metric.compute()
    for kind in ROUGE_TYPES:
        expected = sum(scorer.score(wanted, written)[kind].fmeasure for written, wanted in pairs) / len(pairs)
        assert found[kind].item() == pytest.approx(expected, abs=1e-6), kind


def test_sentences_of_rouge_lsum_need_no_line_feeds() -> None:
    wanted, written = "The film ends. It was good! Was it new?", "It was new. The film begins. Is it good?"
    scorer = RougeScorer(["rougeLsum"], use_stemmer=True)
    lines = [text.replace(". ", ".\n").replace("! ", "!\n") for text in (wanted, written)]
    expected = scorer.score(*lines)["rougeLsum"].fmeasure
    assert expected != scorer.score(wanted, written)["rougeLsum"].fmeasure
    metric = Rouge()
    metric.update([written], [wanted])
    assert metric.compute()["rougeLsum"].item() == pytest.approx(expected, abs=1e-6)


def test_rouge_of_chinese_by_hand() -> None:
    metric = Rouge()
    metric.update(["我们去公园A1"], ["我们 去了 a1 公园。"])
    found = metric.compute()
    # 6 words and 7, of which 6 are shared; pairs 5 and 6, of which 我们, 们去, 公园
    assert found["rouge1"].item() == pytest.approx(2 * 6 / 13)
    assert found["rouge2"].item() == pytest.approx(2 * 3 / 11)
    assert found["rougeL"].item() == pytest.approx(2 * 5 / 13)
    assert RougeScorer(["rouge1"]).score("公园", "公园")["rouge1"].fmeasure == 0  # what its own tokenizer makes of it
    metric = Rouge()
    metric.update(["Это новая книга"], ["это старая книга"])
    assert metric.compute()["rouge1"].item() == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("pairs", "tokenizer"), [(ENGLISH, "13a"), (list(zip(WRITTEN, WANTED, strict=True)), "13a"), (CHINESE, "zh")]
)
def test_bleu_and_chrf_are_those_of_sacrebleu(pairs: list[tuple[str, str]], tokenizer: str) -> None:
    written, wanted = map(list, zip(*pairs, strict=True))
    bleu, chrf = Bleu(tokenizer), ChrF()  # type: ignore[arg-type]
    for start in range(0, len(pairs), 2):
        bleu.update(written[start : start + 2], wanted[start : start + 2])
        chrf.update(written[start : start + 2], wanted[start : start + 2])
    assert bleu.compute().item() == pytest.approx(BLEU(tokenize=tokenizer).corpus_score(written, [wanted]).score)
    assert chrf.compute().item() == pytest.approx(CHRF().corpus_score(written, [wanted]).score)


def test_nothing_alike() -> None:
    scores = text_scores()
    scores.update(["xyz", ""], ["ab cd", "ab"])
    assert all(value == 0 for value in scores.compute().values())


def test_exact_match_leaves_white_space_aside() -> None:
    metric = ExactMatch()
    metric.update([" a  film\n", "a film", "A film"], ["a film", "a films", "a film"])
    assert metric.compute().item() == pytest.approx(1 / 3)


def test_sums_do_not_depend_on_batches_and_add_up_over_processes() -> None:
    whole, one, two = (text_scores() for _ in range(3))
    whole.update(WRITTEN, WANTED)
    one.update(WRITTEN[:7], WANTED[:7])
    two.update(WRITTEN[7:], WANTED[7:])
    for name in one:
        one[name].sums += two[name].sums  # as dist_reduce_fx="sum" does
        assert one[name]._reductions["sums"].__name__ == "dim_zero_sum"
    found, expected = one.compute(), whole.compute()
    assert found.keys() == {*ROUGE_TYPES, "exact_match", "bleu", "chrf"}
    for name, value in expected.items():
        assert found[name].item() == pytest.approx(value.item(), abs=1e-6)
        assert value > 0


def test_languages() -> None:
    assert bleu_tokenizer(WANTED) == "13a"
    assert bleu_tokenizer([wanted for _, wanted in CHINESE]) == "zh"
    assert bleu_tokenizer(["これは新しい本です"]) == "char"
    assert bleu_tokenizer(["the word 书 means book"]) == "13a"
