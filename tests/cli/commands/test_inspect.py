from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from pretune.main import main
from pretune.modules import Backbone

MASKED = """
model:
  class_path: MaskedLanguageModeling
  init_args: {{backbone: {{config: {{model_type: bert, hidden_size: 32, num_attention_heads: 2}}}}}}
data:
  class_path: CorpusDataModule
  init_args: {{train_files: {corpus}, tokenizer: {tokenizer}, block_size: 24}}
"""


@pytest.fixture
def masked(corpus: Path, tokenizer_folder: Path) -> Path:
    path = Path("masked.yaml")
    path.write_text(MASKED.format(corpus=corpus.name, tokenizer=tokenizer_folder))
    return path


def inspect(capsys: pytest.CaptureFixture[str], *args: Any) -> str:
    assert main(["inspect", *map(str, args)]).rows
    return capsys.readouterr().out


def test_a_pipe_has_all_of_it(
    masked: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No color codes; signs around what is predicted; 80 columns."""

    def build(*args: Any, **options: Any) -> Any:
        raise AssertionError("weights are made")

    monkeypatch.setattr(Backbone, "build", build)
    monkeypatch.setenv("COLUMNS", "80")
    said = inspect(capsys, "--config", masked, "--rows", 2)
    assert "\x1b" not in said
    assert all(cell_len(line) <= 80 for line in said.splitlines())
    assert "train: MaskedLanguageModeling on CorpusDataModule ──" in said
    assert "«[MASK]←" in said
    assert re.search(r"\n1 block [\d,]+ of [\d,]+ · 24 tokens, \d+ predicted\n\[CLS\] ", said)
    assert "\n2 block" in said
    assert "\n3 block" not in said
    assert re.search(r"\ntrain: 228 documents ─", said)
    assert re.search(r"duplicates: \d+ of 228 documents are copies of earlier ones", said)
    assert re.search(r"tokens of documents: 8 to 16, half up to 12", said)
    assert re.search(r"input_ids +32 x 24 +int64", said)
    assert not Path("runs").exists()


def test_splits(mine: Path, capsys: pytest.CaptureFixture[str], fails: Callable[..., str]) -> None:
    said = inspect(capsys, "--config", mine, "--split", "validation", "--rows", 1)
    assert said.startswith("validation: TextClassification")
    assert re.search(r"\n1 reviews\.csv:\d+ · label: (positive|negative) · \d+ tokens\n", said)
    assert re.search(r"positive +4  █", said)
    said = inspect(capsys, "--config", mine, "--split=test", "--data.test_files=reviews.csv")
    assert said.startswith("test: TextClassification")
    assert "\ntest: 80 rows" in said
    said = inspect(capsys, "--config", mine, "--split=predict", "--data.predict_texts=['so good a film']",
                   "--model.labels=[a,b]")  # fmt: skip
    assert "1 data.predict_texts[0] · 6 tokens" in said
    assert "so" in said
    assert "nothing to test on" in fails("inspect", "--config", mine, "--split", "test")


def test_texts_are_harmless(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a page as in a terminal."""
    rows = ["text,stars", *(f"<script>alert({i})</script> \x1b[31mred,<b>{i % 2}</b>" for i in range(20))]
    Path("odd.csv").write_text("\n".join(rows))
    tokenizer = json.dumps({"train": "bytelevel", "vocab_size": 300})
    said = inspect(
        capsys, "--config", mine, "--data.train_files=odd.csv", "--data.text_column=text", "--html=out/page.html",
        f"--data.tokenizer={tokenizer}", '--model.backbone={"config": {"model_type": "bert", "hidden_size": 24}}',
    )  # fmt: skip
    assert "\x1b" not in said
    assert "\\x1b" in said.replace("|", "")
    page = Path("out/page.html").read_text()
    assert "<script" not in page
    assert "<b>0" not in page
    assert "&lt;b&gt;0&lt;/b&gt;" in page
    assert not re.search(r"(?:src|href)=\"(?!#)", page)
    assert "The page: out/page.html" in said


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--rows", "0"], "--rows is 0; it must be at least 1."),
        (["--rows=many"], "--rows is 'many'"),
        (["--split", "training"], "--split is 'training'; train, validation, test, predict would work."),
        (["--html", "there"], "--html is there, which is a folder; a file such as there/page.html would work."),
        (["--html"], "--html needs a value"),
        (["--html=reviews.csv/page.html"], "reviews.csv is no folder"),
        (["--data.train_files=none.csv"], "none.csv"),
        (["--data.text_column=words"], "words"),
        (
            [
                "--model.backbone={config: {model_type: t5}}",
                "--data.tokenizer=encoder",
                "--model=NextSentencePrediction",
            ],
            "NextSentencePrediction needs an encoder",
        ),
    ],
)
def test_what_cannot_be_shown(args: list[str], says: str, mine: Path, fails: Callable[..., str]) -> None:
    Path("there").mkdir()
    assert says in fails("inspect", "--config", mine, *args)
    assert not list(Path().rglob("*.html"))


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["inspect", "--help"])
    said = capsys.readouterr().out
    assert "what would be trained on" in said
    assert "--html FILE" in said
