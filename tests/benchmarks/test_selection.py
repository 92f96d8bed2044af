"""The benchmark of selection: its corpus, what it keeps of results, and the table."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from tests_support import sentence

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "selection.py"
spec = importlib.util.spec_from_file_location("selection_benchmark", FILE)
assert spec is not None
assert spec.loader is not None
selection: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(selection)


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Few texts of each kind."""
    folder = tmp_path / "texts"
    for name in ("wikitext-2", "zh_classics", "tiny_shakespeare", "c4_en_300"):
        (folder / name).mkdir(parents=True)
    for number, part in enumerate(("train", "validation", "test")):
        lines = [sentence(100 * number + i, 60) for i in range(30)]
        (folder / "wikitext-2" / f"{part}.txt").write_text("\n".join(lines))
        (folder / "tiny_shakespeare" / f"{part}.txt").write_text("\n\n".join(line.upper() for line in lines))
        chinese = "\n".join("".join(chr(0x4E00 + (i * j + number) % 97) for j in range(300)) for i in range(1, 30))
        (folder / "zh_classics" / f"{part}.txt").write_text(chinese)
        rows = [json.dumps({"text": f"web {line}"}) for line in lines]
        (folder / "c4_en_300" / f"{part}.jsonl").write_text("\n".join(rows))
    rows = [{"text": f"docs {sentence(i, 50)}"} for i in range(20)]
    monkeypatch.setattr("pretune.text.readers.read_installed_docs", lambda *_, **__: iter(rows))
    return folder


def test_documents_are_pieces_of_paragraphs() -> None:
    made = selection.pieces(["a" * 600, "b" * 500, "c" * 2500, "d"])
    assert [len(text) for text in made] == [600, 500, 1000, 1000, 502]
    assert "".join("".join(made).split()) == "a" * 600 + "b" * 500 + "c" * 2500 + "d"


def test_importance_keeps_the_kind(texts: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    trained: list[Any] = []

    def losses(given: Any, chosen: Any, seed: int) -> dict[str, float]:
        trained.append(chosen)
        return dict.fromkeys(selection.KINDS, 2.0 + seed)

    monkeypatch.setattr(selection, "losses", losses)
    args = [str(texts), "--seeds", "1", "2", "--documents", "12", "--kinds", "classics", "web"]
    selection.main(args)
    printed = capsys.readouterr().out
    assert len(trained) == 2 * (3 + 2)
    (row,) = (line for line in printed.splitlines() if line.startswith("| classics"))
    assert row.count(" 3.500 ± 0.707 (") == 4
    assert row.split("|")[4] == " 3.500 ± 0.707 (100%) "
    kept = {name: result["kept"] for name, result in json.loads(Path("selection.json").read_text()).items()}
    (found,) = (of for name, of in kept.items() if "importance classics" in name and name.endswith("seed=1"))
    assert found == {"classics": 7}  # a tenth of 72 documents
    selection.main(args)
    assert len(trained) == 10
    assert capsys.readouterr().out == printed


@pytest.mark.slow
def test_it_trains(texts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    selection.main([str(texts), "--seeds=1", "--documents=9", "--steps=2", "--kinds=web", "--keep=0.5"])
    assert "| web | " in capsys.readouterr().out
