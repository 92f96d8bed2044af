from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chat_templates import CHATML, THINKING
from tests_support import sentence

from pretune.datamodules.instructions import InstructionDataModule
from pretune.errors import InputError
from pretune.text.tokenizer import load_tokenizer
from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer

ROWS: list[dict[str, Any]] = [
    {"instruction": sentence(i, 4), "input": sentence(i, 3) if i % 2 else "", "output": sentence(i, 2 + i % 4)}
    for i in range(12)
]
CHATS: list[dict[str, Any]] = [
    {
        "messages": [
            {"role": role, "content": sentence(3 * i + k, 3)}
            for k, role in enumerate(("user", "assistant", "user", "assistant")[: 2 + 2 * (i % 2)])
        ]
    }
    for i in range(12)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level tokenizer, which keeps line feeds, with the end of text as GPT-2's."""
    folder = tmp_path_factory.mktemp("bytelevel")
    texts = [sentence(i, 12) for i in range(99)] + ["### Instruction:\n ### Response:\n"] * 9
    train_tokenizer(TrainTokenizer("bytelevel", 400, min_frequency=1), iter(texts), folder)
    tokenizer: Any = load_tokenizer(str(folder))
    tokenizer.add_special_tokens({"eos_token": "<|endoftext|>"})
    tokenizer.add_tokens(["<|im_start|>", "<|im_end|>"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    return folder


def write(rows: list[dict[str, Any]], path: str = "rows.jsonl") -> str:
    Path(path).write_text("\n".join(json.dumps(row) for row in rows))
    return path


def make(folder: Path, stage: str = "fit", **options: Any) -> InstructionDataModule:
    options = {"batch_size": 4, "validation_fraction": 0.0, "group_by_length": False, **options}
    data = InstructionDataModule(tokenizer=str(folder), **options)
    data.prepare_data()
    data.setup(stage)
    return data


def learned(data: InstructionDataModule, batch: dict[str, Any], row: int) -> str:
    labels = batch["labels"][row]
    assert ((labels == -100) | (labels == batch["input_ids"][row])).all()
    return data.tokenizer.decode(labels[labels != -100])  # type: ignore[no-any-return]


def test_answers_are_learned_and_nothing_else(folder: Path) -> None:
    data = make(folder, train_files=write(ROWS))
    batch = data.datasets["train"][[0, 1]]
    assert batch["example"].tolist() == [0, 1]
    whole = [
        data.tokenizer.decode(ids[mask.bool()])
        for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)
    ]
    asked, about, answer = ROWS[1].values()
    assert whole[1] == (f"### Instruction:\n{asked}\n\n### Input:\n{about}\n\n### Response:\n{answer}<|endoftext|>")
    assert whole[0] == f"### Instruction:\n{ROWS[0]['instruction']}\n\n### Response:\n{ROWS[0]['output']}<|endoftext|>"
    for i in (0, 1):
        assert learned(data, batch, i) == ROWS[i]["output"] + "<|endoftext|>"
    assert data.tokenizer.chat_template == data.format.template  # and goes with the model


def test_the_template_comes_back_with_the_tokenizer(folder: Path) -> None:
    first = make(folder, train_files=write(ROWS))
    first.tokenizer.save_pretrained("run")
    again = make(Path("run"), train_files="rows.jsonl")
    assert [again.examples("train")[i]["text"] for i in range(4)] == [
        first.examples("train")[i]["text"] for i in range(4)
    ]
    asked, about, answer = ROWS[1].values()
    other = make(folder, train_files="rows.jsonl", chat_template=CHATML).examples("train")[1]["text"]
    assert f"{asked}\n\n{about}<|im_end|>" in other
    assert answer in other


def test_turns_of_a_conversation(folder: Path) -> None:
    data = make(folder, train_files=write(CHATS), chat_template=CHATML)
    batch = data.datasets["train"][[0, 1]]
    for i in (0, 1):
        answers = [m["content"] for m in CHATS[i]["messages"] if m["role"] == "assistant"]
        assert learned(data, batch, i) == "".join(f"{answer}<|im_end|>" for answer in answers)


def test_a_template_that_rewrites_is_reported(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        data = make(folder, train_files=write(CHATS), chat_template=THINKING)
    last = CHATS[1]["messages"][-1]["content"]
    assert learned(data, data.datasets["train"][[0, 1]], 1) == f"<think>\n\n</think>\n\n{last}<|im_end|>"
    assert "earlier answers are not learned, as the chat template rewrites them: 6" in caplog.text


def test_packs_hold_every_row_once(folder: Path) -> None:
    plain = make(folder, train_files=write(CHATS))
    data = make(folder, train_files="rows.jsonl", packing=True, max_length=128)
    packs = data.datasets["train"]
    assert 1 < len(packs) < 12
    found = {}
    for start in range(0, len(packs), 2):
        batch = packs[list(range(start, min(start + 2, len(packs))))]
        bounds = batch["cu_seq_lens"].tolist()
        for example, begin, end in zip(batch["example"].tolist(), bounds[:-1], bounds[1:], strict=True):
            assert batch["position_ids"][0, begin:end].tolist() == list(range(end - begin))
            found[example] = [batch[key][0, begin:end].tolist() for key in ("input_ids", "labels")]
    assert sorted(found) == list(range(12))
    padded = plain.datasets["train"][list(range(12))]
    for example, (ids, labels) in found.items():
        length = int(padded["attention_mask"][example].sum())
        assert ids == padded["input_ids"][example, :length].tolist()
        assert labels == padded["labels"][example, :length].tolist()


def test_long_conversations_are_cut_at_their_end_or_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [*ROWS[:4], {**ROWS[4], "output": sentence(4, 60)}, {**ROWS[5], "instruction": sentence(5, 60)}]
    with caplog.at_level("INFO"):
        data = make(folder, train_files=write(rows), max_length=64)
    assert len(data.datasets["train"]) == 5
    batch = data.datasets["train"][[4]]
    assert batch["input_ids"].shape == (1, 64)
    answer = learned(data, batch, 0)
    assert rows[4]["output"].startswith(answer)
    assert answer
    assert "truncated to 64 tokens: 2 of 6" in caplog.text
    assert "left out, as their answers begin after data.max_length: 1" in caplog.text
    with pytest.raises(InputError, match=r"rows.jsonl: every answer begins after data.max_length \(4 tokens\)"):
        make(folder, train_files="rows.jsonl", max_length=4)


def test_prompts(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = make(folder, "predict", predict_texts=["the film?", "a"])
    batch = data.datasets["predict"][[0, 1]]
    assert "labels" not in batch
    texts = [
        data.tokenizer.decode(ids[mask.bool()])
        for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)
    ]
    assert texts == [f"### Instruction:\n{asked}\n\n### Response:\n" for asked in ("the film?", "a")]
    assert batch["attention_mask"][:, -1].tolist() == [1, 1]  # padded on the left
    assert batch["attention_mask"][1, 0] == 0
    # A prompt is exactly what stands before the answer in training.
    train = make(folder, train_files=write(CHATS), chat_template=CHATML)
    asked_ = make(folder, "predict", predict_files="rows.jsonl", chat_template=CHATML)
    whole, prompt = train.datasets["train"][[1]], asked_.datasets["predict"][[1]]["input_ids"][0].tolist()
    assert whole["input_ids"][0, : len(prompt)].tolist() == prompt
    assert (whole["labels"][0, len(prompt) :] != -100).sum() == (whole["labels"][0, len(prompt) :].shape[0] - 1)
    with caplog.at_level("INFO"):
        cut = make(folder, "predict", predict_texts=[sentence(1, 40)], max_length=16)
    assert "prompts cut at their beginning: 1" in caplog.text
    assert cut.tokenizer.decode(cut.datasets["predict"][[0]]["input_ids"][0]).endswith("### Response:\n")


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        ({"prompt": "a", "response": "b"}, "a|b"),
        ({"question": "a", "context": "c", "answer": "b"}, "a+c|b"),
        ({"instruction": "a", "input": None, "output": "b"}, "a|b"),
        ({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}, "a|b"),
    ],
)
def test_columns(row: dict[str, Any], messages: str, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        data = make(folder, train_files=write([row] * 4))
    asked, answer = messages.replace("+", "\n\n### Input:\n").split("|")
    expected = f"### Instruction:\n{asked}\n\n### Response:\n{answer}<|endoftext|>"
    assert data.examples("train")[0]["text"] == expected
    assert "Columns: " in caplog.text


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"output": ""}, r"rows.jsonl:3: the text in column 'output' is empty"),
        ({"instruction": None}, r"rows.jsonl:3: the text in column 'instruction' is empty"),
    ],
)
def test_bad_rows(row: dict[str, Any], message: str, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{**r} for r in ROWS]
    rows[2] |= row
    with pytest.raises(InputError, match=message):
        make(folder, train_files=write(rows))
    with caplog.at_level("INFO"):
        assert len(make(folder, train_files="rows.jsonl", on_bad_rows="skip").datasets["train"]) == 11
    assert "skipped: 1 that cannot be used, the first: rows.jsonl:3" in caplog.text


def test_dead_ends(folder: Path) -> None:
    chats = [*CHATS[:2], {"messages": CHATS[0]["messages"][:1]}]
    with pytest.raises(InputError, match=r"rows.jsonl:3: the conversation has no answer"):
        make(folder, train_files=write(chats))
    with pytest.raises(
        InputError, match=r"rows.jsonl:1: which column is it\? Set data.messages_column \(a conver.*: a\."
    ):
        make(folder, train_files=write([{"a": "b"}] * 4))
    with pytest.raises(InputError, match=r"rows.jsonl:1: there is no column 'b'; there are: a\."):
        make(folder, train_files="rows.jsonl", messages_column="b")
    with pytest.raises(InputError, match="leave out data"):
        make(folder, train_files="rows.jsonl", messages_column="b", output_column="a")
    with pytest.raises(InputError, match=r"data.predict_texts\[0\]: the text in column 'instruction' is empty"):
        make(folder, "predict", predict_texts=[""])


@pytest.mark.parametrize("column", ["system_prompt", "mine"])
def test_a_column_for_the_system(column: str, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{column: "be brief" if i % 2 else "", "question": "what", "response": f"it {i}"} for i in range(8)]
    named = {} if column == "system_prompt" else {"system_column": column}
    with caplog.at_level("INFO"):
        data = make(folder, train_files=write(rows), chat_template=CHATML, **named)
    assert f"system '{column}'" in caplog.text
    texts = [data.examples("train")[i]["text"] for i in range(2)]
    assert texts[0].startswith("<|im_start|>user\nwhat")
    assert texts[1].startswith("<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\nwhat")
    with pytest.raises(InputError, match="there is no column 'none'"):
        make(folder, train_files="rows.jsonl", system_column="none")
