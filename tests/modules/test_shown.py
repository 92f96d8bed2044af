"""What is shown of a batch is what a step learns from, for every objective and task, and needs no network."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from test_combinations import OBJECTIVES, batch_for, make  # type: ignore[import-not-found]
from test_task_combinations import TASKS  # type: ignore[import-not-found]
from test_task_combinations import make as make_task

from pretune.contracts import ModuleFacts, ShownRow, ShownSpan, module_facts, plain_rows
from pretune.errors import InputError
from pretune.modules import Backbone, MaskedLanguageModeling
from pretune.modules.output import outputs_by_part

BACKBONE = {"encoder": "bert", "decoder": "gpt2", "encoder-decoder": "t5"}
CASES = [
    *((name, BACKBONE[family]) for name, (_, family) in OBJECTIVES.items()),
    ("SpanDenoising", "bart"),
    ("TextClassification", "bert"),
    ("TokenClassification", "bert"),
    ("QuestionAnswering", "bert"),
    ("QuestionAnswering", "gpt2"),
    ("MultipleChoice", "bert"),
    ("SequenceToSequence", "t5"),
    ("SequenceToSequence", "gpt2"),
    ("InstructionTuning", "gpt2"),
]
PER_ROW = ("TextClassification", "QuestionAnswering", "MultipleChoice")
"""Tasks that learn one thing of a row, and none of a token."""


def module_and_batch(name: str, backbone: str, tokenizer: Any) -> tuple[Any, dict[str, Any]]:
    if name in TASKS:
        return make_task(name, backbone, tokenizer), TASKS[name][2]()
    module = make(name, backbone, tokenizer)
    return module, batch_for(module)


def shown(module: Any, batch: dict[str, Any], stage: str = "val") -> list[ShownRow]:
    return module_facts(module).shown(batch, stage)


@pytest.mark.parametrize(("name", "backbone"), CASES)
def test_targets_are_those_of_the_step(name: str, backbone: str, tokenizer: Any) -> None:
    module, batch = module_and_batch(name, backbone, tokenizer)
    module.sketch()
    assert module.model is None
    before = {stage: shown(module, batch, stage) for stage in ("train", "val")}
    module.build()
    for stage, rows in before.items():
        part = outputs_by_part(module.step(batch, stage), module)
        first = next(iter(part.values()))
        assert rows, stage
        if name in PER_ROW:
            assert len(rows) == int(first.count)
            assert sum(row.targets for row in rows) == 0
        else:
            assert sum(row.targets for row in rows) == int(first.count)
        if name == "ReplacedTokenDetection":
            assert sum(row.length for row in rows) == int(part["discriminator"].count)


@pytest.mark.parametrize("name", ["MaskedLanguageModeling", "CausalLanguageModeling", "InstructionTuning"])
def test_documents_of_a_pack_are_rows(name: str, tokenizer: Any) -> None:
    module, batch = module_and_batch(name, "gpt2" if name != "MaskedLanguageModeling" else "bert", tokenizer)
    ids = batch["input_ids"][:2, :9].reshape(1, -1)
    pack = {
        "input_ids": ids,
        "position_ids": torch.arange(9).repeat(2)[None],
        "cu_seq_lens": torch.tensor([0, 9, 18], dtype=torch.int32),
    }
    if "labels" in batch:
        pack["labels"] = batch["labels"][:2, :9].reshape(1, -1)
    module.sketch()
    rows = shown(module, pack)
    assert [row.facts["packed"] for row in rows] == ["document 1 of 2", "document 2 of 2"]
    assert [row.length for row in rows] == [9, 9]
    module.build()
    assert sum(row.targets for row in rows) == int(module.step(pack, "val").count)


def test_masks_by_hand(tokenizer: Any) -> None:
    """Every target a mask, a random token, or itself, as the options say; special tokens and padding never."""
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    ids = torch.tensor([[first, 50, 51, 52, last, 0], [first, 60, 61, last, 0, 0]])
    batch = {"input_ids": ids, "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 0, 0]])}
    for share, random, role in ((1.0, 0.0, "masked"), (0.0, 1.0, "replaced"), (0.0, 0.0, "learned")):
        module = make("MaskedLanguageModeling", "bert", tokenizer, mask_probability=0.999, mask_share=share,
                      random_share=random)  # fmt: skip
        module.sketch()
        rows = shown(module, batch)
        assert list(rows[0].texts[0].roles) == ["special", role, role, role, "special", "padding"]
        assert list(rows[1].texts[0].roles) == ["special", role, role, "special", "padding", "padding"]
        if role == "learned":
            assert rows[0].texts[0].ids == ids[0].tolist()
            assert not rows[0].texts[0].was
        else:
            assert rows[0].texts[0].was == {1: [50], 2: [51], 3: [52]}
        if role == "masked":
            assert rows[0].texts[0].ids[1:4] == [tokenizer.mask_token_id] * 3


def test_overlap_is_context_only(tokenizer: Any) -> None:
    module = make("CausalLanguageModeling", "gpt2", tokenizer)
    module.sketch()
    ids = torch.arange(50, 58).view(2, 4)
    rows = shown(module, {"input_ids": ids, "attention_mask": torch.ones_like(ids), "overlap": torch.tensor([0, 2])})
    assert list(rows[0].texts[0].roles) == ["read", "learned", "learned", "learned"]
    assert list(rows[1].texts[0].roles) == ["ignored", "ignored", "learned", "learned"]


def test_t5_names_what_each_sentinel_stands_for(tokenizer: Any) -> None:
    module, batch = module_and_batch("SpanDenoising", "t5", tokenizer)
    module.sketch()
    for row, original in zip(shown(module, batch), batch["input_ids"].tolist(), strict=True):
        read, written = row.texts
        assert read.read_only
        assert read.was
        whole: list[int] = []
        for place, token in enumerate(read.ids):
            if read.roles[place] != "padding":
                whole += read.was.get(place, [token])
        assert whole == [token for token in original if token != tokenizer.pad_token_id]
        assert set(written.roles) <= {"learned", "padding"}


def test_pairs_say_how_they_stand(tokenizer: Any) -> None:
    found = {}
    for name in ("NextSentencePrediction", "SentenceOrderPrediction"):
        module, batch = module_and_batch(name, "bert", tokenizer)
        module.sketch()
        _, flip, _, _ = module.hidden_pairs(batch, "val")
        found[name] = [row.facts["pair"] for row in shown(module, batch)]
        assert [fact[0] for fact in found[name]] == [str(int(yes)) for yes in flip.flatten().tolist()]
    assert "0: the second followed the first" in found["NextSentencePrediction"]
    assert "1: swapped" in found["SentenceOrderPrediction"]


def test_spans_and_labels(tokenizer: Any) -> None:
    module, batch = module_and_batch("TokenClassification", "bert", tokenizer)
    module.sketch()
    ids = torch.arange(50, 57)[None]
    labels = torch.tensor([[0, 1, 2, -100, 2, 1, 0]])  # O B-A I-A - I-A B-A O
    (row,) = shown(module, {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels})
    assert list(row.texts[0].spans) == [ShownSpan(1, 5, "A"), ShownSpan(5, 6, "A")]
    assert row.texts[0].roles[3] == "ignored"

    module, batch = module_and_batch("QuestionAnswering", "bert", tokenizer)
    module.sketch()
    rows = shown(module, batch)
    assert list(rows[0].texts[0].spans) == [ShownSpan(3, 6, "answer")]
    assert list(rows[2].texts[0].spans) == [ShownSpan(0, 1, "no answer")]

    module, batch = module_and_batch("MultipleChoice", "bert", tokenizer)
    module.sketch()
    rows = shown(module, {**batch, "choice_mask": torch.tensor([[1, 1], [1, 1], [1, 1]])})
    assert [text.name for text in rows[1].texts] == ["choice 0", "choice 1, the right one"]

    module, batch = module_and_batch("TextClassification", "bert", tokenizer)
    module.sketch()
    assert [row.facts["label"] for row in shown(module, batch)] == ["a", "b", "c", "a", "b", "c"]
    module.problem = "multi"
    found = shown(module, {**batch, "labels": torch.tensor([[1.0, 0, 1]] * 6)})
    assert found[0].facts == {"labels": "a, c"}
    module.problem = "regression"
    assert shown(module, {**batch, "labels": torch.tensor([0.5] * 6)})[0].facts == {"number": "0.5"}


def test_showing_counts_no_step(tokenizer: Any) -> None:
    """In a loop of one's own the next step draws what it would have drawn."""
    module, batch = module_and_batch("MaskedLanguageModeling", "bert", tokenizer)
    module.build()
    seen = [shown(module, batch, "train") for _ in range(2)]
    assert seen[0] == seen[1]
    rows = module.rows(batch)
    corrupted, chosen, _ = module.mask(rows, "train")
    assert [row.texts[0].ids for row in seen[0]] == corrupted.tolist()
    assert sum(row.targets for row in seen[0]) == int(chosen.sum())
    assert shown(module, batch, "train") != seen[0]


def test_anything_else_is_read(tokenizer: Any) -> None:
    ids = torch.tensor([[tokenizer.cls_token_id, 50, 0]])
    batch = {"input_ids": ids, "attention_mask": torch.tensor([[1, 1, 0]])}
    (row,) = ModuleFacts().shown(batch, "train")
    assert list(row.texts[0].roles) == ["read", "read", "padding"]
    (row,) = plain_rows(batch, tokenizer)
    assert list(row.texts[0].roles) == ["special", "read", "padding"]
    assert plain_rows([1, 2]) == []
    assert plain_rows({"pixels": ids}) == []
    (row,) = plain_rows({"segment_a": torch.tensor([[50, -1]]), "segment_b": torch.tensor([[51, 52]])})
    assert [(text.name, list(text.roles)) for text in row.texts] == [
        ("segment_a", ["read", "padding"]), ("segment_b", ["read", "read"]),
    ]  # fmt: skip


def test_what_cannot_be_trained_is_refused_without_a_network(tokenizer: Any, tiny: dict[str, Any]) -> None:
    module = MaskedLanguageModeling(Backbone(config={"model_type": "gpt2"}))
    module.tokenizer = tokenizer
    with pytest.raises(InputError, match="needs an encoder"):
        module.sketch()


def test_a_decoder_learns_what_has_a_label_and_something_before_it(tokenizer: Any) -> None:
    ids = torch.tensor([[50, 51, 52, 53], [60, 61, 62, 0]])
    batch = {
        "input_ids": ids,
        "attention_mask": (ids > 0).long(),
        "labels": torch.tensor([[-100, -100, 52, 53], [60, 61, -100, -100]]),
    }
    for name in ("SequenceToSequence", "InstructionTuning"):
        module = make_task(name, "gpt2", tokenizer)
        module.sketch()
        rows = shown(module, batch)
        assert list(rows[0].texts[0].roles) == ["ignored", "ignored", "learned", "learned"]
        assert list(rows[1].texts[0].roles) == ["ignored", "learned", "ignored", "padding"]
