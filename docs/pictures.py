"""The pictures of these pages, made anew by `python docs/pictures.py`; a test compares them with what they show."""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from lightning.pytorch import seed_everything
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console, Group
from rich.text import Text

from pretune.cli.inspecting import Inspection, look
from pretune.datamodules import CorpusDataModule, InstructionDataModule, TokenClassificationDataModule
from pretune.modules import Backbone, InstructionTuning, MaskedLanguageModeling, TokenClassification
from pretune.text.train_tokenizer import TrainTokenizer

PICTURES = Path(__file__).with_name("pictures")
WIDTH = 96
"""Columns of a terminal."""
FORMAT = re.sub(r"@font-face \{\{.*?\}\}\s*|<!--.*?-->\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
"""Without fonts from elsewhere, and links."""
LINES = [
    "The tide came in before the boats were home.",
    "Nobody had repaired the lighthouse since the storm.",
    "She counted the boats twice, and one was missing.",
    "In the morning the missing boat lay on the beach.",
    "The keeper of the lighthouse had seen nothing.",
    "A storm like this one comes once in a century.",
] * 4
NAMES = [
    {"text": "Marie Curie moved from Warsaw to Paris.", "spans": [[0, 11, "PER"], [23, 29, "LOC"], [33, 38, "LOC"]]},
    {"text": "Paris gave Curie her own laboratory.", "spans": [[0, 5, "LOC"], [11, 16, "PER"]]},
    {"text": "Warsaw named a street after Marie Curie.", "spans": [[0, 6, "LOC"], [28, 39, "PER"]]},
    {"text": "The street leads to the river.", "spans": []},
    {"text": "Curie lived in a street of Paris.", "spans": [[0, 5, "PER"], [27, 32, "LOC"]]},
    {"text": "Marie moved to a laboratory in Warsaw.", "spans": [[0, 5, "PER"], [31, 37, "LOC"]]},
    {"text": "Paris gave Curie her own laboratory.", "spans": [[0, 5, "LOC"], [11, 16, "PER"]]},
]
CHATS = [
    {"instruction": "Say it in one word: the tide came in.", "output": "Flood."},
    {"instruction": "Who saw the boat?", "output": "Nobody did."},
    {"instruction": "把这句话翻译成中文: good morning", "output": "早上好。"},
] * 4


def inspect_picture() -> str:
    """Return the picture of docs/inspect.md as SVG."""
    trained = TrainTokenizer("wordpiece", 400, min_frequency=1)
    bert = Backbone(config={"model_type": "bert", "hidden_size": 32, "num_attention_heads": 2})
    gpt = Backbone(config={"model_type": "gpt2", "n_embd": 32, "n_head": 2})
    with _elsewhere():
        Path("stories.txt").write_text("\n".join(LINES), encoding="utf-8")
        for name, rows in (("names", NAMES), ("chats", CHATS)):
            Path(f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        corpus = CorpusDataModule("stories.txt", tokenizer=trained, block_size=40, validation_fraction=0)
        names = TokenClassificationDataModule(
            "names.jsonl", tokenizer=trained, spans_column="spans", validation_fraction=0
        )
        chats = InstructionDataModule("chats.jsonl", tokenizer=TrainTokenizer("bytelevel", 330, min_frequency=1))
        seen = [
            look(MaskedLanguageModeling(bert, mask_probability=0.3), corpus, rows=2),
            look(TokenClassification(bert), names, rows=2),
            look(InstructionTuning(gpt), chats, rows=2),
        ]
    return _svg(seen, "python main.py inspect --config mine.yaml")


def _svg(seen: list[Inspection], title: str) -> str:
    """Return the rows of some inspections as a terminal shows them, and all that follows of the second."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True, color_system="truecolor")
    for number, one in enumerate(seen):
        shown = list(one.__rich_console__(console, console.options))
        end = next(i for i, part in enumerate(shown) if "Rule" in type(part).__name__ and i)
        console.print(Group(*(shown if number == 1 else shown[: end - 1]), Text()))
    return console.export_svg(title=title, code_format=FORMAT, unique_id="inspect")


@contextmanager
def _elsewhere() -> Iterator[None]:
    """Work in an empty folder with a cache of its own, quietly."""
    before = os.environ.get("PRETUNE_CACHE")
    lightning = logging.getLogger("lightning.pytorch")
    level = lightning.level
    seed_everything(1, verbose=False)
    with tempfile.TemporaryDirectory() as folder, chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lightning.setLevel(logging.WARNING)
        os.environ["PRETUNE_CACHE"] = str(Path(folder, "cache"))
        try:
            yield
        finally:
            lightning.setLevel(level)
            os.environ.pop("PRETUNE_CACHE")
            if before is not None:
                os.environ["PRETUNE_CACHE"] = before


MADE: dict[str, Any] = {"inspect.svg": inspect_picture}
"""What makes each picture."""


def main() -> None:
    """Make all pictures."""
    PICTURES.mkdir(exist_ok=True)
    for name, make in MADE.items():
        (PICTURES / name).write_text(make(), encoding="utf-8")
        print(f"docs/pictures/{name}")


if __name__ == "__main__":
    main()
