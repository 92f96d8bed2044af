"""The card of an export: what is known, and nothing that is not."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import ModelCard

from pretune.errors import InputError
from pretune.modules import TextClassification
from pretune.modules.cards.card import NOT_INSTALLED
from pretune.modules.cards.lineage import steps_of
from pretune.modules.cards.options import CardOptions


def card_of(module: Any, tokenizer: Any, folder: Path) -> ModelCard:
    module.tokenizer = tokenizer
    module.save_pretrained(folder, check=False)
    return ModelCard((folder / "README.md").read_text(encoding="utf-8"))


def classifier(backbone: Path, labels: list[str] | None = None, **card: Any) -> TextClassification:
    module = TextClassification(str(backbone), labels=labels or ["good", "bad"])
    module.card = CardOptions(**card)
    return module


def test_a_card_is_written_from_a_folder_on_the_path(
    monkeypatch: pytest.MonkeyPatch, encoder: Path, tokenizer: Any, tmp_path: Path
) -> None:
    """Where the package is not installed, a training must not end without its export."""
    known = importlib.metadata.version

    def missing(name: str) -> str:
        if name == "pretune":
            raise importlib.metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert f"pretune {NOT_INSTALLED} from" in card_of(classifier(encoder), tokenizer, tmp_path / "out").text


@pytest.mark.parametrize(
    ("last", "kept", "words"),
    [(1200, 800, "1,200; the weights are those after step 800"), (800, 800, "800"), (1200, None, "1,200")],
)
def test_a_card_says_which_steps_weights_it_is_of(last: int, kept: int | None, words: str) -> None:
    module: Any = SimpleNamespace(_trainer=SimpleNamespace(global_step=last), kept_step=kept)
    assert steps_of(module) == words


def test_what_nobody_knows_is_left_out_and_said(encoder: Path, tokenizer: Any, tmp_path: Path) -> None:
    card = card_of(classifier(encoder), tokenizer, tmp_path / "out")
    data = card.data.to_dict()
    assert not {"license", "language", "base_model", "datasets", "model-index"} & set(data)
    assert "License: not known (`card.license` says it)." in card.text
    assert "Language: not known (`card.language` says it)." in card.text
    assert str(tmp_path) not in card.content


def test_what_the_user_says_is_taken(encoder: Path, tokenizer: Any, tmp_path: Path) -> None:
    card = card_of(classifier(encoder, license="cc-by-4.0", language=["en", "zh"]), tokenizer, tmp_path / "out")
    data = card.data.to_dict()
    assert (data["license"], data["language"]) == ("cc-by-4.0", ["en", "zh"])
    assert "License: `cc-by-4.0`. Language: `en`, `zh`." in card.text


def test_what_the_card_of_the_weights_says_is_inherited(encoder: Path, tokenizer: Any, tmp_path: Path) -> None:
    (encoder / "README.md").write_text("---\nlicense: apache-2.0\nlanguage: en\nbase_model: org/base\n---\n# It\n")
    card = card_of(classifier(encoder, language="de"), tokenizer, tmp_path / "out")
    data = card.data.to_dict()
    assert (data["license"], data["language"], data["base_model"]) == ("apache-2.0", "de", "org/base")
    assert "License: `apache-2.0`, as that of the weights it began with. Language: `de`." in card.text
    again = card_of(classifier(tmp_path / "out"), tokenizer, tmp_path / "again").data.to_dict()
    assert (again["license"], again["language"], again["base_model"]) == ("apache-2.0", "de", "org/base")


@pytest.mark.parametrize("text", ["---\n[broken\n---\n", "---\n- a\n- list\n---\n", "no front matter", "\x00"])
def test_a_card_of_the_weights_that_is_no_card(text: str, encoder: Path, tokenizer: Any, tmp_path: Path) -> None:
    (encoder / "README.md").write_text(text)
    assert "License: not known" in card_of(classifier(encoder), tokenizer, tmp_path / "out").text


@pytest.mark.parametrize(
    "options",
    [{"license": "MIT License, sort of"}, {"language": "English"}, {"language": ["en", "?"]}, {"examples": -1}],
)
def test_options_that_are_none(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"card.{next(iter(options))} is "):
        CardOptions(**options)


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "a|b",
    "[free](http://127.0.0.1/x)",
    "two\nlines",
    "`tick`",
    "\u202eright",
    "好评",
    "<!-- pretune: end of scores -->",
    "---",
]


def test_names_are_shown_as_they_are(encoder: Path, tokenizer: Any, tmp_path: Path) -> None:
    card = card_of(classifier(encoder, HOSTILE), tokenizer, tmp_path / "out")
    rows = card.text.partition("## Labels")[2].partition("## ")[0].strip().splitlines()[2:]
    assert rows == [
        "| `<img src=x onerror=alert(1)>` |",
        r"| `a\|b` |",
        "| `[free](http://127.0.0.1/x)` |",
        r"| `two\nlines` |",
        "| `` `tick` `` |",
        r"| `\u202eright` |",
        "| `好评` |",
        "| `<!-- pretune: end of scores -->` |",
        "| `---` |",
    ]
    assert not re.search(r"^<!-- pretune: end of scores -->$", "\n".join(rows), re.MULTILINE)
