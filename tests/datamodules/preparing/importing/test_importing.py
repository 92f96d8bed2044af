from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from token_files import TEXTS, ended, imported, read_back, stored, write_megatron, write_nanogpt  # type: ignore[import-not-found]

from pretune.datamodules import Cleaning
from pretune.datamodules.preparing.importing import importing
from pretune.errors import InputError
from pretune.main import main
from pretune.text.splitting import document_hash


def test_what_is_held_out_is_what_prepare_would(gpt: str, documents: list[list[int]]) -> None:
    write_nanogpt("train.bin", ended(documents))
    write_megatron("corpus", [[row] for row in documents])
    held = [hash_ < int(0.25 * 2**64) for hash_ in (document_hash(text, 3) for text in TEXTS)]
    assert 5 < sum(held) < 30
    for kind, tokens in (("nanogpt", "train.bin"), ("megatron", "corpus.bin")):
        made = imported(kind, tokens, gpt, 300, kind, validation_fraction=0.25, seed=3)
        for split, is_in in (("train", False), ("validation", True)):
            wanted = [[*row, 0] for row, is_held in zip(documents, held, strict=True) if is_held is is_in]
            assert stored(made.manifest, split, kind) == wanted


def test_it_goes_on(gpt: str, documents: list[list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    write_nanogpt("train.bin", ended(documents))
    whole = imported("nanogpt", "train.bin", gpt, 300, "whole", validation_fraction=0.2).manifest
    done, write = [], importing.write_piece

    def stops(*args: Any) -> Any:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(args[1].number)
        return write(*args)

    monkeypatch.setattr(importing, "write_piece", stops)
    with pytest.raises(KeyboardInterrupt):
        imported("nanogpt", "train.bin", gpt, 300, validation_fraction=0.2)
    assert not Path("out/manifest.json").exists()
    with pytest.raises(InputError, match=r"validation_fraction was 0\.2, and is 0\.5"):
        imported("nanogpt", "train.bin", gpt, 300, validation_fraction=0.5)
    monkeypatch.setattr(importing, "write_piece", lambda *args: done.append(args[1].number) or write(*args))
    assert imported("nanogpt", "train.bin", gpt, 300, validation_fraction=0.2).manifest == whole
    assert done == list(range(len(done)))
    assert len(done) > 4
    assert not Path("out/unfinished").exists()
    assert not imported("nanogpt", "train.bin", gpt, 300, validation_fraction=0.2).seconds


@pytest.mark.parametrize(
    ("kind", "tokens", "options", "said"),
    [
        ("nanogpt", "train.bin", {"tokenizer": None}, "set data.tokenizer to its name or folder"),
        ("nanogpt", "train.bin", {"train_files": "a.txt"}, "leave data.train_files, "),
        ("nanogpt", "train.bin", {"cleaning": Cleaning(min_characters=3)}, "data.cleaning needs texts"),
        ("nanogpt", "train.bin", {"word_ids": True}, "data.word_ids needs texts"),
        ("nanogpt", "*.none", {}, r"no file matches \*.none"),
        ("nanogpt", "gone.bin", {}, "gone.bin cannot be read: No such file"),
        ("nanogpt", "s3://bucket/train.bin", {}, "is a URL"),
        ("nanogpt", ".", {}, "--tokens: . holds no train.bin"),
        ("nanogpt", "val.bin", {}, "--tokens names no document to train on"),
        ("nanogpt", "corpus.bin", {"validation_fraction": 1e-9}, "None of 60 documents is left in validation"),
        ("litdata", ".", {}, "is no folder of litdata's: "),
    ],
)
def test_mistakes(gpt: str, documents: list[list[int]], kind: str, tokens: str, options: Any, said: str) -> None:
    Path("a.txt").write_text("a")
    for name in ("corpus.bin", "val.bin"):
        write_nanogpt(name, ended(documents))
    with pytest.raises(InputError, match=said):
        imported(kind, tokens, gpt, **options)
    assert not Path("out/manifest.json").exists()


def test_the_command(
    gpt: str, documents: list[list[int]], capsys: pytest.CaptureFixture[str], fails: Callable[..., str]
) -> None:
    write_nanogpt("train.bin", ended(documents), b"\x01")
    write_nanogpt("more.bin", ended(documents[:2]))
    Path("corpus.yaml").write_text(
        f"data:\n  class_path: CorpusDataModule\n  init_args: {{tokenizer: {gpt}, validation_fraction: 0}}\n"
    )
    command = ["prepare", "--config", "corpus.yaml", "--output", "out"]
    made = main([*command, "--from", "nanogpt", "--tokens", "[train.bin, more.bin]"])
    said = capsys.readouterr().out
    assert "train.bin: 1 bytes at the end" in said
    assert "train: 62 documents, " in said
    assert "train.bin: 1 bytes at the end" in Path("out/report.html").read_text()
    assert read_back() == ended(documents + documents[:2])
    assert made.manifest.options["from"] == "nanogpt"
    main([*command, "--from", "nanogpt", "--tokens", "[train.bin, more.bin]"])
    assert "out was finished already" in capsys.readouterr().out
    assert "--tokens needs --from" in fails(*command, "--tokens", "train.bin")
    assert "--from needs --tokens" in fails(*command, "--from", "nanogpt")
    assert "--from is 'fairseq'; texts, megatron, litdata, nanogpt would work" in fails(*command, "--from", "fairseq")
    both = ["--from", "nanogpt", "--tokens", "train.bin"]
    assert "leave --executor, --tasks and --workers out" in fails(*command, *both, "--workers", "2")
    assert "--tokens is [1]" in fails(*command, "--from", "nanogpt", "--tokens", "[1]")
