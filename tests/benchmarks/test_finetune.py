"""The fine-tuning benchmark: the rows that both sides read, their scores, and that both sides run."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests_support import sentence

HERE = Path(__file__).resolve().parents[2] / "benchmarks" / "finetune"


def load(name: str) -> ModuleType:
    """A script of the benchmark, which imports its neighbors as scripts do."""
    sys.path.insert(0, str(HERE))
    try:
        spec = importlib.util.spec_from_file_location(f"finetune_{name.strip('_')}", HERE / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(HERE))


tasks, scores, harness = load("tasks"), load("scores"), load("__main__")


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


# ---------------------------------------------------------------------- rows


def cola(count: int, label: int | None = None) -> list[dict[str, Any]]:
    return [
        {"sentence": f"{i} {sentence(i)}", "label": i % 2 if label is None else label, "idx": i} for i in range(count)
    ]


def test_unlabeled_test_rows_give_way_to_validation(tmp_path: Path) -> None:
    for part, rows in {"train": cola(50), "validation": cola(7), "test": cola(9, label=-1)}.items():
        write(tmp_path / "cola" / f"{part}.jsonl", rows)
    assert tasks.prepare(tmp_path, "cola", tmp_path / "out", None) == {"train": 45, "validation": 5, "test": 7}
    found = {part: tasks.read(tmp_path / "out" / f"{part}.jsonl") for part in tasks.PARTS}
    held = {row["sentence"] for row in found["validation"]}
    assert held.isdisjoint(row["sentence"] for row in found["train"])
    assert found["train"][0].keys() == {"sentence", "label"}
    first = (tmp_path / "out" / "validation.jsonl").read_text()
    tasks.prepare(tmp_path, "cola", tmp_path / "again", None)
    assert (tmp_path / "again" / "validation.jsonl").read_text() == first


def test_articles_are_held_out_whole_and_large_sets_capped(tmp_path: Path) -> None:
    rows = [question(i) for i in range(100)]
    write(tmp_path / "squad" / "train.jsonl", rows)
    write(tmp_path / "squad" / "validation.jsonl", rows[:8])
    assert tasks.prepare(tmp_path, "squad", tmp_path / "out", 20) == {"train": 20, "validation": 10, "test": 8}
    title = {row["id"]: row["title"] for row in rows}
    parts = [
        {title[row["id"]] for row in tasks.read(tmp_path / "out" / f"{part}.jsonl")} for part in ("train", "validation")
    ]
    assert len(parts[1]) == 1
    assert parts[0].isdisjoint(parts[1])


def test_numbers_of_tags_become_names(tmp_path: Path) -> None:
    for part in tasks.PARTS:
        write(tmp_path / "conll2003" / f"{part}.jsonl", [{"id": "0", "tokens": ["EU", "rejects"], "ner_tags": [3, 0]}])
    tasks.prepare(tmp_path, "conll2003", tmp_path / "out", None)
    assert tasks.read(tmp_path / "out" / "test.jsonl") == [{"tokens": ["EU", "rejects"], "tags": ["B-ORG", "O"]}]


def test_missing_rows_are_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="sst2 has no labeled rows for its train part"):
        tasks.prepare(tmp_path, "sst2", tmp_path / "out", None)


# ---------------------------------------------------------------------- scores


def test_answers_are_scored_as_squad_defines_it() -> None:
    golds = {"a": ["the Broncos", "Denver"], "b": ["in 1999"], "c": ["x y"], "d": ["missing"], "e": ["The"]}
    found = scores.squad_scores({"a": "Broncos!", "b": "1999", "c": "z", "e": "an"}, golds)
    assert found["exact_match"] == 2 / 5  # articles, case and punctuation do not count; "" equals ""
    # "e" has no word in common: without words, F1 is 0 here and in SQuAD 1.1's script.
    assert found["f1"] == pytest.approx((1 + 2 / 3) / 5)


SENTENCES = [
    (["B-PER", "I-PER", "O", "B-LOC"], ["B-PER", "O", "O", "B-LOC"]),
    (["B-PER", "I-PER", "O"], ["I-PER", "I-PER", "O"]),
    (["B-ORG", "B-ORG", "I-ORG"], ["B-ORG", "I-ORG", "I-LOC"]),
    (["B-LOC", "I-LOC"], ["B-LOC", "I-LOC"]),
    (["O"], ["B-MISC"]),
]


def test_entities_are_scored_strictly() -> None:
    golds, found = zip(*SENTENCES, strict=True)
    assert scores.entities(["I-PER", "B-PER", "I-LOC", "B-LOC", "B-LOC"]) == {
        ("PER", 1, 2),
        ("LOC", 3, 4),
        ("LOC", 4, 5),
    }
    ours = scores.entity_f1(golds, found)
    assert ours == pytest.approx(2 * 2 / (6 + 5))
    metrics = pytest.importorskip("seqeval.metrics")
    scheme = pytest.importorskip("seqeval.scheme")
    assert ours == pytest.approx(metrics.f1_score(list(golds), list(found), mode="strict", scheme=scheme.IOB2))


# ---------------------------------------------------------------------- both sides


def question(i: int) -> dict[str, Any]:
    context = sentence(i, 30)
    word = context.split()[5 + i % 7]
    answers = {"text": [word], "answer_start": [context.index(word)]}
    return {"id": f"q{i}", "title": f"article {i % 10}", "context": context, "question": "which", "answers": answers}


def tagged(i: int) -> dict[str, Any]:
    words = sentence(i).removesuffix(".").split()
    return {"tokens": words, "ner_tags": [5 if word in ("film", "book", "song") else 0 for word in words]}


ROWS: dict[str, Callable[[int], dict[str, Any]]] = {
    "sst2": lambda i: {"sentence": f"{sentence(i)} {'good' if i % 2 else 'bad'}", "label": i % 2},
    "mrpc": lambda i: {"sentence1": sentence(i), "sentence2": sentence(i + i % 2), "label": 1 - i % 2},
    "stsb": lambda i: {"sentence1": sentence(i), "sentence2": sentence(i + i % 4), "label": i % 4 + 0.5},
    "conll2003": tagged,
    "squad": question,
    "hellaswag": lambda i: {"ctx": sentence(i), "endings": [sentence(i + j, 4) for j in range(4)], "label": str(i % 4)},
}


@pytest.mark.parametrize("side", harness.SIDES)
@pytest.mark.parametrize("task", ROWS)
def test_each_side_trains_and_scores(task: str, side: str, encoder: Path, tmp_path: Path) -> None:
    for part, count in {"train": 24, "validation": 12, "test": 10}.items():
        write(tmp_path / task / f"{part}.jsonl", [ROWS[task](i) for i in range(count)])
    tasks.prepare(tmp_path, task, tmp_path / "rows", None)
    settings = {**asdict(tasks.TASKS[task]), "epochs": 1, "batch_size": 6, "max_length": 32}
    settings |= {"stride": min(settings["stride"], 8), "precision": "32-true"}
    files = {part: str(tmp_path / "rows" / f"{part}.jsonl") for part in tasks.PARTS}
    folder = str(tmp_path / "work")
    found = load(side).run(
        {**settings, "name": task, "model": str(encoder), "files": files, "seed": 1, "folder": folder}
    )
    assert found["steps"] >= 4  # contexts in windows take more
    assert found["test"].keys() == set(settings["metrics"])
    assert all(-1 <= score <= 1 for score in [*found["test"].values(), found["validation"]])


def test_spans_and_answers_of_windows() -> None:
    trainer = load("trainer")
    # [CLS] which [SEP] one small film [SEP]; the context is "one small film".
    offsets, sequence = [(0, 0), (0, 5), (0, 0), (0, 3), (4, 9), (10, 14), (0, 0)], [None, 0, None, 1, 1, 1, None]
    span = trainer.answer_span
    assert span(offsets, sequence, {"text": ["small film"], "answer_start": [4]}) == (4, 5)
    assert span(offsets, sequence, {"text": ["film and"], "answer_start": [10]}) == (0, 0)
    assert span(offsets, sequence, {"text": [], "answer_start": []}) == (0, 0)
    from datasets import Dataset

    inside = [place if of == 1 else None for place, of in zip(offsets, sequence, strict=True)]
    rows = Dataset.from_list([{"id": "q", "context": "one small film"}])
    windows = Dataset.from_dict({"example_id": ["q", "q"], "offset_mapping": [inside, inside]})
    import numpy as np

    starts, ends = np.full((2, 9), -100.0), np.full((2, 9), -100.0)
    starts[0, 4] = ends[0, 3] = starts[1, 0] = ends[1, 8] = 9.0  # backwards, before the context, and in the padding
    starts[1, 4], ends[1, 5] = 2.0, 1.0
    assert trainer.best_answers(rows, windows, starts, ends) == {"q": "small film"}


# ---------------------------------------------------------------------- the harness


def test_what_is_done_is_kept_and_failures_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in tasks.PARTS:
        write(tmp_path / "data" / "mrpc" / f"{part}.jsonl", [ROWS["mrpc"](i) for i in range(12)])
    ran: list[tuple[str, int]] = []

    def runner(side: str, spec: dict[str, Any], log: Path) -> dict[str, Any] | None:
        ran.append((side, spec["seed"]))
        if (side, spec["seed"]) == ("trainer", 2):
            return None
        score = 0.5 + 0.1 * spec["seed"] + (side == "ours") * 0.02
        return {
            "validation": 0.5,
            "test": {"f1_binary": score, "accuracy": 0.5},
            "steps": 9,
            "seconds": 10.0,
            "cpu_seconds": 20.0,
        }

    args = [str(tmp_path / "data"), "--tasks=mrpc", f"--model={tmp_path}", "--seeds", "1", "2"]
    assert harness.main(args, runner) == 1
    assert ran == [("ours", 1), ("trainer", 1), ("trainer", 2), ("ours", 2)]  # neither is always the first
    printed = capsys.readouterr().out
    assert "| MRPC | 12 / 12 / 12 | 5 | F1 | 67.0 ± 7.1 | 60.0 | 2 / 1 | 10 | 10 | 1.00 | 20 | 20 | 1.00 |" in printed
    assert "Failed: mrpc" in printed
    ran.clear()
    assert harness.main(args, runner) == 1
    assert ran == [("trainer", 2)]  # what is done is not repeated, what failed is
    kept = json.loads(Path("finetune.json").read_text())
    assert len(kept) == 3
    assert all(result["rows"]["train"] == 12 and result["cores"] for result in kept.values())
    ran.clear()
    assert harness.main([*args, "--epochs=1", "--table"], runner) == 0  # another number of epochs is another run
    assert not ran
    assert "| MRPC |" not in capsys.readouterr().out.rpartition("Failed")[2]


@pytest.mark.slow
def test_a_run_is_a_process_of_its_own(
    encoder: Path, tiny: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import BertConfig, BertForMaskedLM

    longer = BertConfig(**{**tiny, "vocab_size": 256, "max_position_embeddings": 128})
    BertForMaskedLM(longer).save_pretrained(encoder)
    for part in tasks.PARTS:
        write(tmp_path / "sst2" / f"{part}.jsonl", [ROWS["sst2"](i) for i in range(40)])
    args = [str(tmp_path), "--tasks=sst2", "--seeds=1", "--epochs=1"]
    assert harness.main([*args, f"--model={encoder}"]) == 0
    assert "| SST-2 | 40 / 40 / 40 | 1 | accuracy |" in capsys.readouterr().out
    assert harness.main([*args, f"--model={tmp_path / 'nothing'}"]) == 2
    logs = [path for path in Path("runs/finetune").glob("*.log") if "nothing" in path.name]
    assert len(logs) == 2
    assert all("nothing" in path.read_text() for path in logs)
