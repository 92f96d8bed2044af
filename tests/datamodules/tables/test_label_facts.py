"""How often labels occur in what is trained on, and texts that have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pretune.datamodules import TextClassificationDataModule, TokenClassificationDataModule


def facts(data: Any, tokenizer: Any, most: int = 1) -> dict[str, tuple[int, list[str]]]:
    data.load_tokenizer()
    data.prepare_data()
    data.setup("fit")
    found: dict[str, tuple[int, list[str]]] = data.label_facts("train", most)
    return found


def test_texts_of_single_labels(tokenizer: Any, tokenizer_folder: Path) -> None:
    rows = [("a good film", 1), ("a bad film", 0), ("an old film", 1), ("一部好电影", 1)]
    Path("a.jsonl").write_text("\n".join(json.dumps({"text": text, "label": label}) for text, label in rows))
    data = TextClassificationDataModule(
        "a.jsonl", label_names=["no", "yes"], validation_fraction=0.0, tokenizer=str(tokenizer_folder)
    )
    assert facts(data, tokenizer, 2) == {"no": (1, ["a bad film"]), "yes": (3, ["a good film", "an old film"])}
    assert data.label_facts("train", 0) == {"no": (1, []), "yes": (3, [])}


def test_held_out_rows_are_not_counted(tokenizer: Any, tokenizer_folder: Path) -> None:
    rows = [{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(40)]
    Path("a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = TextClassificationDataModule("a.jsonl", validation_fraction=0.5, tokenizer=str(tokenizer_folder))
    assert {name: count for name, (count, _) in facts(data, tokenizer).items()} == {"a": 10, "b": 10}


def test_several_labels_and_pairs(tokenizer: Any, tokenizer_folder: Path) -> None:
    rows = [{"text": "one", "text_pair": "two", "labels": ["x", "y"]}, {"text": "a", "text_pair": "b", "labels": ["y"]}]
    Path("a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = TextClassificationDataModule(
        "a.jsonl", text_column="text", text_pair_column="text_pair", validation_fraction=0.0,
        tokenizer=str(tokenizer_folder),
    )  # fmt: skip
    assert facts(data, tokenizer) == {"x": (1, ["one / two"]), "y": (2, ["one / two"])}


def test_entities_are_counted_whole(tokenizer: Any, tokenizer_folder: Path) -> None:
    Path("a.conll").write_text(
        "Ada B-PER\nLovelace I-PER\nsaw O\nParis B-LOC\n. O\n\nAda B-PER\nleft O\n\n北 B-LOC\n京 I-LOC\n很 O\n大 O\n"
    )
    data = TokenClassificationDataModule("a.conll", validation_fraction=0.0, tokenizer=str(tokenizer_folder))
    assert facts(data, tokenizer, 2) == {"PER": (2, ["Ada Lovelace", "Ada"]), "LOC": (2, ["Paris", "北京"])}
    assert sum(data.label_counts) > 0


def test_tags_of_words(tokenizer: Any, tokenizer_folder: Path) -> None:
    Path("a.conll").write_text("the DET\nfilm NOUN\nends VERB\n\nthe DET\nsong NOUN\nends VERB\n")
    data = TokenClassificationDataModule("a.conll", validation_fraction=0.0, tokenizer=str(tokenizer_folder))
    assert facts(data, tokenizer, 2) == {"DET": (2, ["the"]), "NOUN": (2, ["film", "song"]), "VERB": (2, ["ends"])}
