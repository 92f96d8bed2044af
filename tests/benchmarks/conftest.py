"""What the benchmarks' tests share: few rows of each set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests_support import sentence


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Few rows of each set."""
    context = sentence(3, 40)
    word = context.split()[5]
    answers = {"text": [word], "answer_start": [context.index(word)]}
    rows = {
        "c4_en_300/train": [{"text": sentence(i, 60)} for i in range(4)],
        "mrpc/train": [
            {"sentence1": sentence(i, 2 + i % 6), "sentence2": sentence(i, 3), "label": i % 2} for i in range(16)
        ],
        "squad/validation": [
            {"id": f"q{i}", "title": "a", "context": context, "question": "which", "answers": answers}
            for i in range(30)
        ],
        **{
            f"sst2/{part}": [{"sentence": sentence(i, 2 + i % 9), "label": i % 2} for i in range(40)]
            for part in ("train", "validation", "test")
        },
    }
    for name, content in rows.items():
        path = tmp_path / "data" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in content))
    (tmp_path / "data" / "wikitext-2").mkdir()
    (tmp_path / "data" / "wikitext-2" / "train.txt").write_text(
        "".join(f"{sentence(i, 4 + i % 30)}\n" for i in range(90))
    )
    return tmp_path / "data"
