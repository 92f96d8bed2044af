"""Every script, kind of tokenizer and task: what goes in comes out, and what is scored is what is predicted."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scripts import KINDS, TEXTS, make_tokenizer

from pretune.datamodules import (
    InstructionDataModule,
    MultipleChoiceDataModule,
    QuestionAnsweringDataModule,
    SequenceToSequenceDataModule,
    TextClassificationDataModule,
    TokenClassificationDataModule,
)
from pretune.datamodules.token_classification import SHARED, SILENT, WIDENED
from pretune.modules.metrics.entities import EntityScore, whole_tags
from pretune.modules.tasks.token_classification import _entities
from pretune.text.places import MARKS, begins_late, core
from pretune.text.tokenizer import load_tokenizer


@pytest.fixture(scope="session")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One of each kind, trained once."""
    root = tmp_path_factory.mktemp("scripts")
    for kind in KINDS:
        make_tokenizer(kind, root / kind)
    return {kind: root / kind for kind in KINDS}


def write(rows: list[dict[str, Any]]) -> str:
    Path("rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return "rows.jsonl"


def make(kind: Any, tokenizer: Path, rows: list[dict[str, Any]], **options: Any) -> Any:
    data = kind(
        tokenizer=str(tokenizer), train_files=write(rows), validation_files="rows.jsonl", max_length=256, **options
    )
    data.prepare_data()
    data.setup("fit")
    return data


def tagged() -> list[dict[str, Any]]:
    return [
        {"text": text, "entities": [{"start": s, "end": e, "label": "AB"[i % 2]} for i, (s, e) in enumerate(spans)]}
        for text, spans in TEXTS.values()
    ]


def answered(data: Any, example: int, tags: dict[int, int]) -> dict[int, tuple[str, float, int]]:
    """What `predict_step` gives for a sentence, by tags of words."""
    batch = data.datasets["validation"][list(range(len(data.datasets["validation"])))]
    (row,) = torch.nonzero(batch["example"] == example).flatten().tolist()
    pairs = zip(batch["words"][row].tolist(), batch["covers"][row].tolist(), strict=True)
    return {word: (data.labels[tags[word]], 1.0, covers) for word, covers in pairs if word >= 0}


@pytest.mark.parametrize("kind", KINDS)
def test_entities_that_go_in_come_out(kind: str, tokenizers: dict[str, Path]) -> None:
    data = make(TokenClassificationDataModule, tokenizers[kind], tagged(), validation_fraction=0.0)
    rows = data.rows["validation"]
    noted = rows.notes.of(np.arange(len(rows.examples)))
    assert WIDENED not in noted
    assert SHARED not in noted or kind == "unigram"
    for number, (name, (text, spans)) in enumerate(TEXTS.items()):
        if SHARED in rows.notes.of(np.array([number])):
            continue  # a token holds the end of one and the beginning of another
        example = rows.examples[number]
        gold = {word: data.labels.index(tag) for word, tag in enumerate(example["tags"])}
        tags = whole_tags(answered(data, number, gold), len(example["words"]), spans=True)
        assert [tag for tag, _ in tags] == example["tags"], name
        found = [(entity["start"], entity["end"]) for entity in _entities(example, tags)]
        assert found == [core(text, *span) for span in spans], name


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_scored_is_what_is_predicted(kind: str, tokenizers: dict[str, Path]) -> None:
    data = make(TokenClassificationDataModule, tokenizers[kind], tagged(), validation_fraction=0.0)
    batch = data.datasets["validation"][list(range(len(TEXTS)))]
    rng = random.Random(0)
    score, gold, found = EntityScore(data.labels, "f1"), set(), set()
    for row in range(len(TEXTS)):
        number = int(batch["example"][row])
        example = data.examples("validation")[number]
        right = {word: data.labels.index(tag) for word, tag in enumerate(example["tags"])}
        guess = {w: t if rng.random() < 0.8 else rng.randrange(len(data.labels)) for w, t in right.items()}
        words = answered(data, number, guess)
        rows = torch.tensor([[number, w, guess[w], covers] for w, (_, _, covers) in words.items()])
        asked = torch.tensor([[number, w, tag] for w, tag in right.items()])
        assert batch["gold"][row][: len(right)].tolist() == list(right.values())
        assert (batch["gold"][row][len(right) :] == -100).all()
        score.update(rows, asked)
        predicted = _entities(example, whole_tags(words, len(example["words"]), spans=True))
        found |= {(number, e["start"], e["end"], e["label"]) for e in predicted}
        text, entities = tagged()[number]["text"], tagged()[number]["entities"]
        gold |= {(number, *core(text, e["start"], e["end"]), e["label"]) for e in entities}
    assert float(score.compute()) == pytest.approx(2 * len(gold & found) / (len(gold) + len(found)))
    assert 0 < float(score.compute()) < 1


@pytest.mark.parametrize("edges", ["exact", "blank", "bare"])
@pytest.mark.parametrize("kind", KINDS)
def test_answers_that_go_in_come_out(kind: str, edges: str, tokenizers: dict[str, Path]) -> None:
    rows, expected = [], []
    for text, spans in TEXTS.values():
        for start, end in spans:
            before, after = (" \u00a0", "\u3000\u200f") if edges == "blank" else ("", "")
            context = text[:start] + before + text[start:end] + after + text[end:]
            answer = before + text[start:end] + after
            if edges == "bare" and MARKS.fullmatch(answer[-1]):  # marked by somebody without what ends it
                answer = answer[:-1]
            rows.append({"id": str(len(rows)), "context": context, "question": "who?"})
            rows[-1]["answers"] = {"text": [answer], "answer_start": [start]}
            expected.append(text[start:end])
    data = make(QuestionAnsweringDataModule, tokenizers[kind], rows)
    found = data.datasets["train"]
    assert len(found) == len(rows)
    batch = found[list(range(len(rows)))]
    for i in range(len(rows)):
        number = int(batch["example"][i])
        context, first, last = rows[number]["context"], batch["start_positions"][i], batch["end_positions"][i]
        slice_ = context[batch["starts"][i][first] : batch["ends"][i][last]]
        assert data.examples("train")[number]["answers"] == [expected[number]]
        assert expected[number] in slice_
        if kind != "unigram":  # which has tokens that are longer than a part
            assert slice_ == expected[number]


def test_answers_in_another_form_of_unicode_are_found(tokenizers: dict[str, Path]) -> None:
    context, answer = TEXTS["decomposed"][0], "Zoë Müller"
    assert answer not in context
    rows = [{"context": context, "question": "who?", "answers": {"text": [answer], "answer_start": [4]}}] * 2
    data = make(QuestionAnsweringDataModule, tokenizers["wordpiece"], rows, validation_fraction=0.0)
    start, end = TEXTS["decomposed"][1][0]
    assert data.examples("train")[0]["answers"] == [context[start:end]]
    assert data.examples("train")[0]["span"] == [start, end]


def test_an_answer_without_a_token_is_lost_for_that_reason(
    tokenizers: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"id": "a", "context": "x \u200b y", "question": "?", "answers": {"text": ["\u200b"], "answer_start": [2]}}]
    rows.append({"id": "b", "context": "x y", "question": "?", "answers": {"text": ["x"], "answer_start": [0]}})
    with caplog.at_level("INFO"):
        make(QuestionAnsweringDataModule, tokenizers["wordpiece"], rows)
    assert "Not trained on, as no token of the context stands for the answer: a." in caplog.text


@pytest.mark.parametrize("kind", KINDS)
def test_the_other_tasks_take_every_text(kind: str, tokenizers: dict[str, Path]) -> None:
    texts = [text for text, _ in TEXTS.values()]
    rows = [{"text": text, "label": texts[i % 2]} for i, text in enumerate(texts)]
    data = make(TextClassificationDataModule, tokenizers[kind], rows)
    assert set(data.labels) == set(texts[:2])
    assert (data.rows["train"].lengths > 4).all()
    rows = [{"context": text, "endings": [text, "now"], "label": 0} for text in texts]
    assert len(make(MultipleChoiceDataModule, tokenizers[kind], rows).datasets["train"]) == len(texts)
    exact = kind == "bytelevel"
    rows = [{"source": text, "target": text} for text in texts]
    data = make(SequenceToSequenceDataModule, tokenizers[kind], rows)
    batch = data.datasets["train"][list(range(len(texts)))]
    for labels, number in zip(batch["labels"], batch["example"], strict=True):
        written = data.tokenizer.decode(labels[labels >= 0], skip_special_tokens=True)
        assert written == texts[int(number)] if exact else written
    rows = [{"instruction": text, "output": text} for text in texts]
    data = make(InstructionDataModule, tokenizers[kind], rows)
    batch = data.datasets["train"][list(range(len(texts)))]
    for labels, number in zip(batch["labels"], batch["example"], strict=True):
        written = data.tokenizer.decode(labels[labels >= 0], skip_special_tokens=True)
        assert written == texts[int(number)] if exact else written


def test_one_rule_for_words_without_a_token(tokenizers: dict[str, Path]) -> None:
    """A soft hyphen that is a word of its own, as some files have it, inside an entity and behind one."""
    rows = [
        {"tokens": ["Tom", "\u00ad", "Brown", "\u00ad", "lives"], "ner_tags": ["B-A", "I-A", "I-A", "O", "O"]},
        {"tokens": ["Tom", "lives"], "ner_tags": ["B-A", "O"]},
    ]
    data = make(TokenClassificationDataModule, tokenizers["wordpiece"], rows)
    rows_of = data.rows["validation"]
    assert rows_of.notes.of(np.array([0]))[SILENT] == 2
    gold = {i: data.labels.index(tag) for i, tag in enumerate(rows[0]["ner_tags"])}
    tags = whole_tags(answered(data, 0, gold), 5, spans=True)
    assert [tag for tag, _ in tags] == rows[0]["ner_tags"]
    score = EntityScore(data.labels, "f1")
    voiced = torch.tensor([[0, w, gold[w], 1] for w in (0, 2, 4)])
    score.update(voiced, torch.tensor([[0, w, tag] for w, tag in gold.items()]))
    assert float(score.compute()) == 1


def test_a_token_that_holds_two_words_answers_for_both() -> None:
    labels = ["O", "B-A", "I-A"]
    assert [t for t, _ in whole_tags({0: ("B-A", 1.0, 2), 2: ("O", 1.0, 1)}, 3, spans=True)] == ["B-A", "I-A", "O"]
    score = EntityScore(labels, "f1")
    score.update(torch.tensor([[0, 0, 1, 2], [0, 2, 0, 1]]), torch.tensor([[0, 0, 1], [0, 1, 2], [0, 2, 0]]))
    assert float(score.compute()) == 1
    score = EntityScore(labels, "recall")  # an entity that lies in a token of others is missed, and counts
    score.update(torch.tensor([[0, 0, 0, 2], [0, 2, 0, 1]]), torch.tensor([[0, 0, 0], [0, 1, 1], [0, 2, 0]]))
    assert float(score.compute()) == 0
    assert score.counts()[0].tolist() == [0, 0, 1]


def test_late_offsets_are_noticed(tokenizers: dict[str, Path]) -> None:
    assert [begins_late(load_tokenizer(str(tokenizers[kind]))) for kind in KINDS] == [kind == "late" for kind in KINDS]
