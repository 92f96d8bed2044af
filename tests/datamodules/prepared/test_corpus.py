from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prepared_corpora import write_prepared  # type: ignore[import-not-found]
from tests_support import sentence  # type: ignore[import-not-found]

from pretune.datamodules import CorpusDataModule
from pretune.errors import InputError
from pretune.main import main
from pretune.text.cleaning import Cleaning
from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer


@pytest.fixture
def prepared(tmp_path: Path, tokenizer: Any) -> str:
    parts = [[sentence(number, 9) for number in range(begin, begin + 40)] for begin in (0, 40, 80)]
    write_prepared(tmp_path / "prepared", tokenizer, {"train": parts, "validation": [[sentence(5, 30)] * 4]})
    return "prepared"


def setup(**options: Any) -> CorpusDataModule:
    data = CorpusDataModule(**{"block_size": 16, "batch_size": 4, **options})
    data.prepare_data()
    data.setup("fit")
    return data


def test_a_run_on_what_is_prepared(prepared: str, tiny: dict[str, Any], run: Callable[..., Any]) -> None:
    """The tokenizer comes with it, and goes into the export; the run is trained, validated, resumed and tested."""
    fixed = (
        "--model=MaskedLanguageModeling", f"--model.backbone={{config: {tiny}}}", "--data=CorpusDataModule",
        f"--data.prepared={prepared}", "--data.block_size=16", "--data.batch_size=8", "--name=one",
    )  # fmt: skip
    run("fit", *fixed, "--trainer.max_steps=3")
    cli = run("fit", *fixed, "--trainer.max_steps=6", "--ckpt_path=last")
    folder = Path(cli.run.folder)
    assert "val/loss" in (folder / "metrics.csv").read_text()
    assert (folder / "export" / "tokenizer.json").is_file()
    Path("test.txt").write_text(sentence(1, 40) + "\n")
    run("test", *fixed, "--data.test_files=test.txt")


def test_mixed_with_files_and_with_each_other(prepared: str, tokenizer: Any, tmp_path: Path) -> None:
    write_prepared(tmp_path / "other", tokenizer, {"train": [[sentence(i, 6) for i in range(200, 260)]]})
    Path("more.txt").write_text("\n".join(sentence(i, 8) for i in range(300, 330)) + "\n")
    sources: Any = [{"prepared": prepared, "weight": 3}, {"prepared": "other"}, {"files": "more.txt"}]
    data = setup(sources=sources)
    mixture = data.datasets["train"]
    assert data.counts["train"]["documents"] == 120 + 60 + 30 - data.counts["validation"]["documents"] + 4
    seen = [index for batch in data.train_dataloader().plan for index in batch]  # type: ignore[union-attr]
    share = sum(index < len(mixture.parts[0]) for index in seen) / len(seen)
    assert share == pytest.approx(0.6, abs=0.03)
    data = setup(sources=sources, shuffle_window=1)
    seen = [index for batch in data.train_dataloader().plan for index in batch]  # type: ignore[union-attr]
    assert sum(index < len(mixture.parts[0]) for index in seen) / len(seen) == pytest.approx(0.6, abs=0.06)


def test_what_does_not_go_together(prepared: str, tokenizer: Any, tmp_path: Path, corpus: Path) -> None:
    with pytest.raises(InputError, match=r"data.prepared excludes data.train_files"):
        setup(prepared=prepared, train_files=str(corpus))
    with pytest.raises(InputError, match=r"data.cleaning has no effect on what is prepared"):
        setup(prepared=prepared, cleaning=Cleaning(min_characters=3))
    with pytest.raises(InputError, match=r"was prepared without word ids"):
        setup(prepared=prepared, word_ids=True)
    with pytest.raises(InputError, match=r"takes no `files`"):
        setup(sources=[{"prepared": prepared, "files": "a.txt"}])
    with pytest.raises(InputError, match=r"cache_limit"):
        setup(prepared=prepared, cache_limit=0)
    train_tokenizer(TrainTokenizer("wordpiece", 90, min_frequency=1), iter(["another one"] * 9), tmp_path / "own")
    with pytest.raises(InputError, match=r"was prepared with another tokenizer"):
        setup(prepared=prepared, tokenizer="own")
    with pytest.raises(InputError, match=r"comes with its own"):
        setup(prepared=prepared, tokenizer=TrainTokenizer("wordpiece", 90))


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone holds no prepared corpus"):
        setup(prepared="gone")


def test_damage_is_found(prepared: str) -> None:
    shard = Path(prepared, "train-00001.bin")
    content = bytearray(shard.read_bytes())
    content[5] ^= 1
    shard.write_bytes(content)
    data = setup(prepared=prepared)
    with pytest.raises(InputError, match=r"train-00001.bin is not what its manifest says"):
        data.datasets["train"][list(range(len(data.datasets["train"])))]
    shard.unlink()
    with pytest.raises(InputError, match=r"train-00001.bin is missing"):
        setup(prepared=prepared).datasets["train"][list(range(60))]


def test_what_was_found_whole_is_not_read_again(prepared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    every = list(range(60))
    setup(prepared=prepared).datasets["train"][every]
    monkeypatch.setattr("pretune.storage.manifest.hash_file", lambda path: pytest.fail(f"{path} is read again"))
    setup(prepared=prepared).datasets["train"][every]
    os.utime(Path(prepared, "train-00000.bin"), (1, 1))
    with pytest.raises(pytest.fail.Exception):
        setup(prepared=prepared).datasets["train"][every]


def test_estimate_knows_its_tokenizer(prepared: str, tiny: dict[str, Any], tokenizer: Any) -> None:
    """As many entries as it has, and not as many as one might have."""
    args = ("estimate", "--model=MaskedLanguageModeling", f"--model.backbone={{config: {tiny}}}")
    data = ("--data=CorpusDataModule", "--data.block_size=16")
    found = main([*args, *data, f"--data.prepared={prepared}"])
    tokenizer.save_pretrained("own")
    assert found["parameters"] == main([*args, *data, "--data.train_files=a.txt", "--data.tokenizer=own"])["parameters"]
    assert found["parameters"] < main([*args, *data, "--data.train_files=a.txt"])["parameters"]
