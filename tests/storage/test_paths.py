from __future__ import annotations

from pathlib import Path

import pytest

from pretune.cli.arguments import runs_folder
from pretune.datamodules import CorpusDataModule
from pretune.errors import InputError
from pretune.main import main
from pretune.storage.paths import local_folder


def test_folders_of_this_machine() -> None:
    assert local_folder("runs", "o") == "runs"
    assert local_folder("~/runs", "o") == str(Path.home() / "runs")
    assert local_folder("file:///tmp/runs", "o") == "/tmp/runs"
    assert local_folder("a:b/c", "o") == "a:b/c"


@pytest.mark.parametrize("given", ["s3://bucket/runs", "gs://a", "hdfs:/a", "memory://x"])
def test_urls_are_refused(given: str) -> None:
    """They would be folders named `s3:`."""
    with pytest.raises(InputError, match=f"the option is {given}: it must be a folder of this machine"):
        local_folder(given, "the option")


def test_caches_and_run_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"data.cache_dir"):
        CorpusDataModule("a.txt", cache_dir="s3://bucket/cache")
    monkeypatch.setenv("PRETUNE_CACHE", "s3://bucket/cache")
    with pytest.raises(InputError, match="PRETUNE_CACHE"):
        CorpusDataModule("a.txt")
    monkeypatch.delenv("PRETUNE_CACHE")
    with pytest.raises(InputError, match=r"trainer.default_root_dir is s3://bucket"):
        runs_folder(["--trainer.default_root_dir", "s3://bucket"])
    assert not list(tmp_path.iterdir())


def test_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("text,label\na,b\nc,d\n")
    command = ["fit", "--model", "TextClassification", "--model.backbone", "b"]
    command += [
        "--data",
        "TextClassificationDataModule",
        "--data.train_files",
        "a.csv",
        "--trainer.default_root_dir",
        "s3://bucket/runs",
    ]
    try:
        main(command)
    except (SystemExit, InputError) as error:
        told = str(error) + capsys.readouterr().err
    assert "trainer.default_root_dir is s3://bucket/runs" in told
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
