"""Tiny runs of every task that a page shows, and the page itself, served from this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests_support import sentence


def _rows(path: str, rows: list[dict[str, Any]]) -> str:
    Path(path).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def labels() -> list[str]:
    words = ("bad", "good")
    rows = [{"review": f"{sentence(i, 6)} {words[i % 2]}", "stars": words[i % 2]} for i in range(40)]
    _rows("test.jsonl", rows[:6])
    data = [f"--data.train_files={_rows('rows.jsonl', rows)}", "--data.test_files=test.jsonl"]
    return ["TextClassification", *data, "--data.text_column=review", "--data.label_column=stars"]


def several() -> list[str]:
    rows = [{"text": sentence(i, 8), "labels": ["a", "b"][: 1 + i % 2]} for i in range(40)]
    data = [f"--data.train_files={_rows('rows.jsonl', rows)}", "--data.label_column=labels"]
    return ["TextClassification", *data, "--data.problem=multi"]


def numbers() -> list[str]:
    rows = [{"text": sentence(i, 8), "score": i / 7} for i in range(40)]
    return ["TextClassification", f"--data.train_files={_rows('rows.jsonl', rows)}", "--data.problem=regression"]


def pairs() -> list[str]:
    rows = [{"sentence1": sentence(i, 8), "sentence2": sentence(i + 1), "label": "yn"[i % 2]} for i in range(40)]
    return ["TextClassification", f"--data.train_files={_rows('rows.jsonl', rows)}"]


def entities() -> list[str]:
    rows = []
    for i in range(40):
        words = sentence(i, 9).removesuffix(".").split()
        tags = ["B-X" if word in ("film", "book") else "O" for word in words]
        rows.append({"tokens": words, "ner_tags": tags})
    return ["TokenClassification", f"--data.train_files={_rows('rows.jsonl', rows)}"]


def spans() -> list[str]:
    rows = []
    for i in range(40):
        text = f"a film {sentence(i, 7)}"
        rows.append({"text": text, "entities": [{"start": 2, "end": 6, "label": "X"}]})
    return ["TokenClassification", f"--data.train_files={_rows('rows.jsonl', rows)}"]


def answers() -> list[str]:
    rows = []
    for i in range(40):
        words = sentence(i, 20).split()
        at = len(" ".join(words[:3])) + 1
        gold = {"text": [words[3]], "answer_start": [at]}
        rows.append({"id": str(i), "context": " ".join(words), "question": "is a book bright", "answers": gold})
    return ["QuestionAnswering", f"--data.train_files={_rows('rows.jsonl', rows)}", "--data.validation_fraction=0.4"]


def choices() -> list[str]:
    rows = [{"context": sentence(i, 8), "endings": ["good film", "bad film"], "label": i % 2} for i in range(40)]
    return ["MultipleChoice", f"--data.train_files={_rows('rows.jsonl', rows)}"]


def masks() -> list[str]:
    rows = [{"text": sentence(i, 12)} for i in range(80)]
    data = [f"--data.train_files={_rows('rows.jsonl', rows)}", "--data.block_size=32"]
    return ["MaskedLanguageModeling", "--data=CorpusDataModule", *data]


def beginnings() -> list[str]:
    return ["CausalLanguageModeling", *masks()[1:], "--model.generation.max_new_tokens=6"]


def sources() -> list[str]:
    rows = [{"source": sentence(i, 8), "target": sentence(i, 3)} for i in range(40)]
    data = [f"--data.train_files={_rows('rows.jsonl', rows)}", "--data.max_target_length=8", "--data.max_length=40"]
    return ["SequenceToSequence", *data, "--model.generation={max_new_tokens: 6, num_beams: 1}"]


def chat() -> list[str]:
    rows = [{"instruction": sentence(i, 4), "output": sentence(i, 3)} for i in range(40)]
    data = [f"--data.train_files={_rows('rows.jsonl', rows)}", "--data=InstructionDataModule"]
    written = "--model.generation={max_new_tokens: 6, min_new_tokens: 6}"
    return ["InstructionTuning", *data[::-1], "--data.max_length=60", written]


MADE = (labels, several, numbers, pairs, entities, spans, answers, choices, masks, beginnings, sources, chat)
DECODERS = ("beginnings", "sources", "chat")


@pytest.fixture
def trained(encoder: Path, tokenizer: Any, run: Callable[..., Any]) -> Callable[[str], str]:
    """Trains a tiny model of a task for two steps; returns its run folder."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    def train(name: str) -> str:
        backbone = encoder
        if name in DECODERS:
            torch.manual_seed(0)
            backbone = Path("decoder")
            config = GPT2Config(vocab_size=256, n_positions=96, n_embd=32, n_layer=2, n_head=2)
            GPT2LMHeadModel(config).save_pretrained(backbone)
            tokenizer.save_pretrained(backbone)
        module, *options = next(make for make in MADE if make.__name__ == name)()
        if not any(option.startswith("--data=") for option in options):
            options.insert(0, f"--data={module}DataModule")
        fixed = ["--trainer.max_steps=2", "--early_stopping=null", "--trainer.logger=false", "--export_check=false"]
        run("fit", f"--model={module}", f"--model.backbone={backbone}", *options, f"--name={name}", *fixed)
        return f"runs/{name}/version_0"

    return train


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Runs `demo`, which goes on serving after it has returned the page's address."""
    from pretune.cli.demo import server
    from pretune.main import main

    pages: list[Any] = []
    whole = server.serve

    def without_waiting(page: Any, *args: Any, **options: Any) -> str:
        pages.append(page)
        return whole(page, *args, **options, wait=False)

    monkeypatch.setattr(server, "serve", without_waiting)

    def demo(*args: Any) -> str:
        address: str = main(["demo", *map(str, args), "--port=0", "--trainer.accelerator=cpu"])
        return address

    yield demo
    for page in pages:
        page.close()
