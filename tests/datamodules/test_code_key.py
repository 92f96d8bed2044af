"""Rows of somebody else's datamodule are made anew where its code was edited."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from pretune.datamodules import TextClassificationDataModule
from pretune.datamodules.code_key import code_key

CODE = """
from pretune.datamodules import TextClassificationDataModule


class Upper(TextClassificationDataModule):
    def example(self, where, row, columns, labeled):
        return super().example(where, {**row, "text": WORD}, columns, labeled)
"""


def load(place: Path, word: str) -> Any:
    place.write_text(CODE.replace("WORD", repr(word)), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"own_{word}", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.Upper


def test_those_of_the_suite_are_known_by_their_names() -> None:
    assert code_key(TextClassificationDataModule) == "TextClassificationDataModule"


def test_an_edited_class_has_another_key(tmp_path: Path) -> None:
    first, second = load(tmp_path / "one.py", "night"), load(tmp_path / "two.py", "day")
    assert code_key(first) != code_key(second)
    assert code_key(first) == code_key(first)


def test_its_rows_are_made_anew(tmp_path: Path, tokenizer_folder: Path, tokenizer: Any) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("text,label\n" + "a,x\nb,y\n" * 8, encoding="utf-8")
    texts = []
    for name, word in (("one", "the"), ("two", "dog")):
        data = load(tmp_path / f"{name}.py", word)(
            train_files=str(rows), tokenizer=str(tokenizer_folder), cache_dir=str(tmp_path / "cache"), batch_size=4
        )
        data.prepare_data()
        data.setup("fit")
        ids = next(iter(data.train_dataloader()))["input_ids"][0].tolist()
        texts.append(tokenizer.decode(ids, skip_special_tokens=True))
    assert texts[0] != texts[1]
