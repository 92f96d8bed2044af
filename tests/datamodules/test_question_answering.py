from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests_support import sentence

from pretune.datamodules import QuestionAnsweringDataModule
from pretune.errors import InputError
from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer

CONTEXTS = [" ".join(sentence(7 * i + j, 9) for j in range(4)) for i in range(6)]


def row(number: int) -> dict[str, Any]:
    context = CONTEXTS[number % 6]
    words = context.split()
    start = len(" ".join(words[: number + 3])) + 1
    text = " ".join(words[number + 3 : number + 5])
    return {
        "id": f"q{number}",
        "context": context,
        "question": f"is it the {words[number]}?",
        "answers": {"text": [text], "answer_start": [start]},
    }


ROWS = [row(i) for i in range(12)]


def make(tokenizer: str | Path, stage: str = "fit", **options: Any) -> QuestionAnsweringDataModule:
    options = {"batch_size": 4, "validation_fraction": 0.0, "group_by_length": False, "stride": 8, **options}
    data = QuestionAnsweringDataModule(tokenizer=str(tokenizer), **options)
    data.prepare_data()
    data.setup(stage)
    return data


def write(path: str, rows: list[dict[str, Any]]) -> str:
    Path(path).write_text("\n".join(json.dumps(row) for row in rows))
    return path


@pytest.mark.parametrize("kind", ["wordpiece", "bytelevel", "unigram"])
@pytest.mark.parametrize("longest", [128, 36])
def test_answers_are_slices_of_the_context(kind: Any, longest: int, tmp_path: Path) -> None:
    size = {"wordpiece": 120, "bytelevel": 300, "unigram": 60}[kind]
    train_tokenizer(TrainTokenizer(kind, size, min_frequency=1), iter(CONTEXTS), tmp_path / "tok")
    data = make(tmp_path / "tok", train_files=write("r.jsonl", ROWS), max_length=longest)
    batches = data.datasets["train"]
    batch = batches[list(range(len(batches)))]
    assert batch["input_ids"].shape[1] <= longest
    held = set()
    for i in range(len(batches)):
        example = data.examples("train")[int(batch["example"][i])]
        first, last = int(batch["start_positions"][i]), int(batch["end_positions"][i])
        inside = batch["starts"][i] >= 0
        assert bool((batch["attention_mask"][i][inside] == 1).all())
        if first >= 0:
            assert example["context"][batch["starts"][i, first] : batch["ends"][i, last]] == example["answers"][0]
            held.add(example["id"])
    assert held == {r["id"] for r in ROWS}  # every answer is whole in some window
    assert (len(batches) > 12) == (longest == 36)
    for number in range(12):  # and every character of the context is in some window
        mine = batch["example"] == number
        seen = {
            int(c)
            for s, e in zip(batch["starts"][mine].flatten(), batch["ends"][mine].flatten(), strict=True)
            for c in range(int(s), int(e))
            if s >= 0
        }
        context = ROWS[number]["context"]
        assert seen - {i for i, c in enumerate(context) if c == " "} == {i for i, c in enumerate(context) if c != " "}


def test_a_row_is_what_the_tokenizer_makes_of_a_pair(tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, train_files=write("r.jsonl", ROWS), max_length=128)
    for number in range(12):
        plain = data.tokenizer(ROWS[number]["question"], ROWS[number]["context"])
        batch = data.datasets["train"][[number]]
        assert batch["input_ids"][0].tolist() == plain["input_ids"]
        assert batch["token_type_ids"][0].tolist() == plain["token_type_ids"]


def test_squads_own_json_and_other_shapes(tokenizer_folder: Path) -> None:
    expected = make(tokenizer_folder, train_files=write("r.jsonl", ROWS)).datasets["train"]
    paragraphs = [
        {
            "context": context,
            "qas": [
                {
                    "id": r["id"],
                    "question": r["question"],
                    "answers": [{"text": r["answers"]["text"][0], "answer_start": r["answers"]["answer_start"][0]}],
                }
                for r in ROWS
                if r["context"] == context
            ],
        }
        for context in CONTEXTS
    ]
    Path("s.json").write_text(json.dumps({"version": "1.1", "data": [{"title": "t", "paragraphs": paragraphs}]}))
    squad = make(tokenizer_folder, train_files="s.json")
    ids = [squad.examples("train")[i]["id"] for i in range(12)]
    lists = [
        {**r, "answers": [{"text": r["answers"]["text"][0], "answer_start": r["answers"]["answer_start"][0]}]}
        for r in ROWS
    ]
    other = make(tokenizer_folder, train_files=write("l.jsonl", lists)).datasets["train"]
    key = "start_positions"
    assert other[list(range(12))][key].tolist() == expected[list(range(12))][key].tolist()
    order = [ids.index(f"q{i}") for i in range(12)]
    assert squad.datasets["train"][order][key].tolist() == expected[list(range(12))][key].tolist()


def test_wrong_places_are_mended_and_lost_answers_left_out(
    tokenizer_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [json.loads(json.dumps(r)) for r in ROWS]
    rows[1]["answers"]["answer_start"] = [rows[1]["answers"]["answer_start"][0] + 3]
    rows[2]["answers"]["text"] = ["not in there"]
    rows[3]["answers"] = {"text": [], "answer_start": []}
    write("r.jsonl", rows)
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files="r.jsonl", validation_files="r.jsonl")
    assert "answers found at another place than said: 1" in caplog.text
    assert "kept to evaluate, not to train, as the answer is not in the context: 1" in caplog.text
    assert "Not trained on, as the answer is not in the context: q2." in caplog.text
    assert 2 not in data.datasets["train"].columns["example"]
    assert 2 in data.datasets["validation"].columns["example"]
    assert data.examples("validation")[1]["span"][0] == ROWS[1]["answers"]["answer_start"][0]
    assert data.unanswerable
    found = data.datasets["train"]
    assert found.columns["start_positions"][found.columns["example"] == 3].tolist() == [-1]


def test_contexts_are_held_out_whole(tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, train_files=write("r.jsonl", ROWS), validation_fraction=0.3)
    sides = [
        {data.examples(split)[int(i)]["context"] for i in data.datasets[split].columns["example"]}
        for split in ("train", "validation")
    ]
    assert sides[0]
    assert sides[1]
    assert not sides[0] & sides[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"context": " "}, "r.jsonl:3: the text in column 'context' is ' '"),
        ({"question": ""}, "r.jsonl:3: the text in column 'question' is empty"),
        ({"answers": None}, "r.jsonl:3: the answers are None, where"),
        ({"answers": {"text": ["a"], "answer_start": []}}, "r.jsonl:3: 1 answers, but 0 places"),
        ({"answers": [{"text": 3, "answer_start": 0}]}, "r.jsonl:3: the answer 3 at 0 is no text"),
        ({"id": "q1"}, "r.jsonl:3: the id 'q1' is also that of r.jsonl:2"),
    ],
)
def test_bad_rows(change: dict[str, Any], message: str, tokenizer_folder: Path) -> None:
    rows = [{**r} for r in ROWS]
    rows[2] |= change
    with pytest.raises(InputError, match=message):
        make(tokenizer_folder, train_files=write("r.jsonl", rows))
    assert len(make(tokenizer_folder, train_files="r.jsonl", on_bad_rows="skip").datasets["train"]) == 11


def test_windows_must_have_room_and_move_on(tokenizer_folder: Path) -> None:
    write("r.jsonl", ROWS)
    with pytest.raises(InputError, match=r"r.jsonl:1: .*leaves room for 1 tokens of context: raise data.max_length"):
        make(tokenizer_folder, train_files="r.jsonl", max_length=10)
    for stride in (0, 30):
        with pytest.raises(InputError, match=rf"windows must overlap.*data.stride is {stride}, \d+ would work"):
            make(tokenizer_folder, train_files="r.jsonl", max_length=30, stride=stride)


def test_an_answer_that_no_window_holds_is_not_trained_on(
    tokenizer_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{**r} for r in ROWS]
    start = rows[0]["context"].index(" ") + 1
    rows[0]["answers"] = {"text": [rows[0]["context"][start:]], "answer_start": [start]}
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files=write("r.jsonl", rows), max_length=36)
    assert (
        "Not trained on, as no window holds the whole answer (raise data.max_length or data.stride): q0." in caplog.text
    )
    assert 0 not in data.datasets["train"].columns["example"]


@pytest.mark.parametrize("fraction", [0.0, 0.1])
def test_without_a_question_to_train_on_the_reason_is_told(tokenizer_folder: Path, fraction: float) -> None:
    row = {**ROWS[0], "answers": {"text": ["nowhere in it"], "answer_start": [0]}}
    with pytest.raises(InputError, match=r"No question of r.jsonl can be trained on, as the answer is not"):
        make(tokenizer_folder, train_files=write("r.jsonl", [row]), validation_fraction=fraction)


def test_one_context_cannot_be_held_out(tokenizer_folder: Path) -> None:
    with pytest.raises(InputError, match=r"holds one context only .* held out: set data.validation_files, or data"):
        make(tokenizer_folder, train_files=write("r.jsonl", ROWS[:1]), validation_fraction=0.1)
