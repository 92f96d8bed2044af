"""`prepare` as a user gives it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("datatrove")

from preparing_support import content, sentences, tokens  # type: ignore[import-not-found]

from pretune.cli.verbs import VERBS
from pretune.main import main

CORPUS = """\
data:
  class_path: CorpusDataModule
  init_args:
    train_files: a.txt
    validation_fraction: 0.2
    tokenizer: {train: wordpiece, vocab_size: 120}
    cleaning: {min_characters: 60, exact_duplicates: true, near_duplicates: 0.8}
"""
MODEL = """\
model:
  class_path: MaskedLanguageModeling
  init_args:
    masking: word
    backbone:
      config: {model_type: bert, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 1, intermediate_size: 16}
"""


@pytest.fixture(autouse=True)
def _corpus(tmp_path: Path) -> None:
    texts = [f"{text} {'and so on ' * (number % 2)}" for number, text in enumerate(sentences(200, least=4))]
    random.Random(0).shuffle(texts)
    (tmp_path / "a.txt").write_text("\n".join([*texts, *texts[:40], ""]))
    (tmp_path / "corpus.yaml").write_text(CORPUS)


def prepare(*args: Any) -> Any:
    return main(["prepare", "--config", "corpus.yaml", "--workers", "1", *map(str, args)])


def test_a_corpus_is_prepared_and_trained_on(capfd: pytest.CaptureFixture[str]) -> None:
    made = prepare("--output", "out", "--tasks", "3")
    said, noise = capfd.readouterr()
    assert "Traceback" not in noise
    assert "datatrove" not in noise
    manifest = made.manifest
    lengths = manifest.left_out["too short"]
    assert f"| lengths | 240 | {lengths} | {240 - lengths} |" in said
    assert f"Left out: {manifest.left_out['exact duplicates']} exact duplicates, " in said
    train = manifest.splits["train"]
    assert f"train: {train.documents:,} documents, {train.tokens:,} tokens in 1 shards; validation: " in said
    assert "out/report.html" in said
    page = Path("out", "report.html").read_text()
    assert "<title>Prepared corpus</title>" in page
    for word in ("near duplicates", "too short", f"{train.tokens:,}", "cleaning.min_characters", manifest.fingerprint):
        assert word in page
    assert {path.name for path in Path().iterdir()} == {"a.txt", "corpus.yaml", "cache", "out"}  # and no run folder

    Path("masked.yaml").write_text(MODEL.replace("word", "token"))
    run = ["fit", "--config", "masked.yaml", "--data", "CorpusDataModule", "--data.prepared", "out"]
    run += ["--data.block_size=16", "--data.batch_size=4", "--trainer.max_steps=2", "--trainer.limit_val_batches=1"]
    cli = main([*run, "--trainer.accelerator=cpu", "--logger=csv"])
    assert cli.datamodule.counts["train"]["tokens"] == train.tokens
    assert len(cli.datamodule.tokenizer) == manifest.tokenizer.vocab_size


def test_again_goes_on_or_says_that_it_is_done(capsys: pytest.CaptureFixture[str], fails: Callable[..., str]) -> None:
    prepare("--output", "out")
    before = content("out")
    capsys.readouterr()
    prepare("--output", "out", "--tasks", "2")
    assert "out was finished already: nothing is done." in capsys.readouterr().out
    said = fails("prepare", "--config", "corpus.yaml", "--output", "out", "--data.cleaning.min_characters=50")
    assert "cleaning.min_characters was 60, and is 50" in said
    assert content("out") == before


def test_a_configuration_of_a_training_will_do() -> None:
    """Its model says whether words are told apart, and is not made."""
    Path("corpus.yaml").write_text(CORPUS + MODEL)
    manifest = prepare("--output", "out").manifest
    assert manifest.word_starts
    ids, _ = tokens("out", manifest, "train")
    starts = np.concatenate([np.fromfile(path, np.uint8) for path in sorted(Path("out").glob("train-*.starts.bin"))])
    assert len(starts) == len(ids)
    assert 0 < starts.sum() < len(ids)


def test_options_alone_will_do(tokenizer_folder: Path) -> None:
    args = [
        "prepare",
        "--data.train_files=a.txt",
        f"--data.tokenizer={tokenizer_folder}",
        "--data.validation_fraction=0",
    ]
    assert main([*args, "--output=out", "--workers=1"]).manifest.splits["train"].documents == 240


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("", "--output is missing: prepare --config FILE --output FOLDER."),
        ("--output out --executor kubernetes", "--executor is 'kubernetes'; local, slurm, ray would work."),
        ("--output out --executor slurm", "needs the cluster's partition: --slurm.partition NAME"),
        ("--output out --tasks 0", "--tasks is 0; it must be at least 1."),
        ("--output out --slurm.memory_gb 0", "--slurm.memory_gb is 0; it must be at least 1."),
        ("--output a.txt", "a.txt is a file; it must be a folder."),
        ("--output nowhere://out", "nowhere://out cannot be reached: Protocol not known: nowhere"),
        ("--output out --data TextClassificationDataModule", "prepare reads what CorpusDataModule reads, and data is "),
        ("--output out --data.tokenizer null", "CorpusDataModule needs a tokenizer: name one"),
        ("--output out --data.train_files b.txt", "There is no file b.txt"),
        ("--output out --data.cleaning.rules [gopher]", "gopher"),
    ],
)
def test_mistakes(args: str, said: str, fails: Callable[..., str]) -> None:
    assert said in fails("prepare", "--config", "corpus.yaml", *args.split())
    assert not Path("out").exists()


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, fails: Callable[..., str]) -> None:
    from pretune.cli.commands import prepare as command

    monkeypatch.setattr(command, "find_spec", lambda name: None)
    said = fails("prepare", "--config", "corpus.yaml", "--output", "out")
    assert 'prepare needs the package datatrove: pip install "pretune[prepare]".' in said


def test_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["prepare", "--help"])
    said = capsys.readouterr().out
    assert said.index("example:") < said.index("--slurm.partition") < said.index("\ndata:")
    assert "NoModel" not in said
    assert VERBS["prepare"].says.capitalize() in " ".join(said.split())
