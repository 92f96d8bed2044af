"""Run folders: which run counts, who writes it, and what is whole."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import signal
import struct
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from pretune.checkpoints import damage, find_checkpoint, is_complete, read_checkpoint, versions
from pretune.cli import run_folder, run_lock
from pretune.cli.arguments import check_name
from pretune.cli.launch import CHECKPOINT, RUN
from pretune.cli.loggers import RunCSVLogger, forget_from
from pretune.cli.run_folder import RunFolder, _new_version
from pretune.cli.run_lock import RunLock, is_being_written, shared_files, writer
from pretune.cli.stop_signals import Interrupted, handling_signals
from pretune.errors import InputError
from pretune.storage.atomic_files import write_text

Run = Callable[..., Any]
Fails = Callable[..., str]


@pytest.fixture
def review(reviews: Path, tokenizer_folder: Path, tiny: dict[str, Any]) -> tuple[str, ...]:
    """What stands after a verb."""
    return (
        "--model=TextClassification", f"--model.backbone={json.dumps({'config': tiny})}", "--model.learning_rate=2e-3",
        "--data=TextClassificationDataModule", "--data.train_files=reviews.csv", "--data.test_files=reviews.csv",
        "--data.text_column=review", "--data.label_column=stars", f"--data.tokenizer={tokenizer_folder}",
        "--trainer.max_epochs=1", "--trainer.precision=32-true", "--name=mine",
    )  # fmt: skip


def summary(run: str) -> Any:
    return json.loads(Path(run, "summary.json").read_text())


# ---------------------------------------------------------------------- which run counts


def test_a_command_leaves_the_environment_as_it_was(
    review: tuple[str, ...], run: Run, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it tells the processes that a strategy launches is for the time of the command."""
    monkeypatch.delenv(RUN, raising=False)
    monkeypatch.setenv(CHECKPOINT, "before")
    cli = run("fit", *review)
    assert (RUN in os.environ, os.environ[CHECKPOINT]) == (False, "before")
    cli.run.tell()
    assert (os.environ[RUN], os.environ[CHECKPOINT]) == ("runs/mine/version_0", "")
    cli.run.release()
    assert "error" in fails("test", *review, "--data.test_files=nowhere.csv")
    assert (RUN in os.environ, os.environ[CHECKPOINT]) == (False, "before")


def test_only_a_run_with_a_checkpoint_counts(
    review: tuple[str, ...], run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    run("fit", *review)
    (Path("runs/mine/version_1/checkpoints")).mkdir(parents=True)  # killed before its first checkpoint
    Path("runs/mine/version_1/config.yaml").write_text(Path("runs/mine/version_0/config.yaml").read_text())
    Path("runs/mine/version_1/checkpoints/last.ckpt.tmp").write_bytes(b"PK")
    cli = run("test", *review)
    assert (cli.run.folder.name, cli.run.checkpoint.name) == ("version_0", "best.ckpt")
    assert "version_1 is passed over: it is without a complete checkpoint" in caplog.text
    assert run("fit", *review, "--ckpt_path=last").run.folder.name == "version_0"
    assert run("validate", *review, "--ckpt_path=best").run.folder.name == "version_0"


def test_runs_of_seeds_are_named(review: tuple[str, ...], fails: Fails) -> None:
    for seed in ("10", "2", "1", "1_old_1"):
        Path(f"runs/news/many/seed_{seed}/version_0").mkdir(parents=True)
    cure = "Its runs lie one folder deeper: --name news/many/seed_1 (or seed_2, seed_10) takes one."
    for verb, more in (("test", ()), ("predict", ("--data.predict_texts=a",)), ("test", ("--ckpt_path=best",))):
        assert f"no run with a checkpoint below runs/news/many. {cure}" in (
            fails(verb, *review, "--name=news/many", *more)
        )
    message = fails("test", *review, "--ckpt_path=runs/news/many")
    assert "nor a run folder with one. runs/news/many/seed_1 is one." in message


def test_untrained_weights_are_not_scored_unasked(
    review: tuple[str, ...], encoder: Path, run: Run, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("fit", *review)
    Path("runs/other").mkdir()
    for verb in ("test", "validate"):
        message = fails(verb, *review, "--name=mien")
        assert "There is no run with a checkpoint below runs/mien. Runs there are: mine. Give --ckpt_path" in message
        assert "--untrained" in message
    assert "no run with a checkpoint below runs/mien" in fails(
        "predict", *review, "--name=mien", "--data.predict_texts=a"
    )
    with_head = (*review, f"--model.backbone={encoder}")  # pretrained, with a head that is new
    for verb in ("test", "validate"):
        message = fails(verb, *with_head)
        assert "runs/mine/version_0 is of another model or backbone; --ckpt_path best would evaluate it" in message
    assert sorted(p.name for p in Path("runs/mine").iterdir()) == ["version_0"]
    assert run("test", *with_head, "--untrained=true").run.checkpoint is None
    export = (*review, "--model.backbone=runs/mine/version_0/export", "--name=use")  # trained, by an earlier run
    assert run("test", *export).trainer.callback_metrics["test/accuracy"] >= 0
    assert not Path("runs/mien").exists()


def test_the_configuration_lies_in_the_run_folder(review: tuple[str, ...], run: Run) -> None:
    own = ("--trainer.logger+=CSVLogger", "--trainer.logger.save_dir=extra")
    for number, logger in enumerate((("--trainer.logger=false",), own)):
        run("fit", *review, *logger)
        assert Path(f"runs/mine/version_{number}/config.yaml").is_file()
        cli = run("test", *review)
        assert cli.run.checkpoint == Path(f"runs/mine/version_{number}/checkpoints/best.ckpt")


def test_an_unfinished_run_is_mentioned(review: tuple[str, ...], run: Run, caplog: pytest.LogCaptureFixture) -> None:
    run("fit", *review)
    path = Path("runs/mine/version_0/summary.json")
    path.write_text(json.dumps({"fit": {"status": "interrupted", "stopped": "SIGTERM at step 1."}}))
    run("fit", *review, "--model.learning_rate=1e-3")
    assert "and unfinished" not in caplog.text
    path.with_name("checkpoints").rename("runs/mine/version_1/other")
    Path("runs/mine/version_1/other").rename("runs/mine/version_0/checkpoints")
    for left in Path("runs/mine/version_1/checkpoints").iterdir():
        left.unlink()
    run("fit", *review)
    assert (
        "beside runs/mine/version_0, which is of the same configuration and unfinished (SIGTERM at step 1)"
        in caplog.text
    )


def test_a_run_that_fails_says_so(review: tuple[str, ...], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from pretune.modules import TextClassification

    def fail(self: Any, batch: Any, batch_idx: int) -> None:
        if self.trainer.global_step == 1:
            raise RuntimeError("broken\nin two lines")
        return usual(self, batch, batch_idx)

    usual = TextClassification.training_step
    monkeypatch.setattr(TextClassification, "training_step", fail)
    with pytest.raises(RuntimeError, match="broken"):
        run("fit", *review, "--checkpoint.every_n_steps=1")
    found = summary("runs/mine/version_0")["fit"]
    assert (found["status"], found["stopped"]) == ("failed", "RuntimeError: broken at step 1.")


# ---------------------------------------------------------------------- names and versions


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "", ".", "..", "a//b", "a/", "a\nb", "a\x1b[31m"])
def test_names_that_lead_elsewhere(name: str) -> None:
    with pytest.raises(InputError, match="a name for a folder below"):
        check_name(name)


def test_names_that_are_fine(review: tuple[str, ...], fails: Fails) -> None:
    for name in ("mine", "news/mine", "影评", "..a", "a b"):
        assert check_name(name) == name
    for more in ((), ("--seeds=1,2",)):
        assert "--name is '../x'" in fails("fit", *review, "--name=../x", *more)
    suite = "{name: ../x, tasks: {a: {config: a.yaml, metrics: [val/accuracy]}}}"
    Path("suite.yaml").write_text(suite)
    assert "--name is '../x'" in fails("suite", "--config=suite.yaml")
    assert not Path("x").exists()
    assert not Path("runs").exists()


def test_runs_that_start_together_have_folders_of_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: _new_version(tmp_path / "name"), range(64)))
    assert sorted(made) == sorted(set(made)) == sorted(versions(tmp_path / "name"))


# ---------------------------------------------------------------------- who writes


def hold(folder: Path) -> int:
    """A process that trains in a folder, for as long as it is let."""
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        lock = RunLock(folder)
        lock.acquire()
        os.write(told, b"x")
        time.sleep(60)
        os._exit(0)
    os.read(ready, 1)
    return child


def test_a_signal_while_a_folder_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it stays, wherever the signal comes."""
    root = tmp_path / "runs" / "name"

    def interrupted(folder: Path) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)  # Python handles it here

    monkeypatch.setattr(run_folder, "sync_folder", interrupted)
    with pytest.raises(Interrupted), handling_signals():
        RunFolder.choose(root, "fit", None, [])
    assert not (tmp_path / "runs").exists()


def test_one_process_trains_in_a_run(review: tuple[str, ...], run: Run, fails: Fails) -> None:
    run("fit", *review)
    folder = Path("runs/mine/version_0")
    assert not is_being_written(folder)
    child = hold(folder)
    try:
        assert is_being_written(folder)
        message = fails("fit", *review, "--ckpt_path=last")
        assert f"{folder} is being written by process {child} on {writer(folder)['host']} since 20" in message
        run("test", *review)  # may look
        assert run("fit", *review).run.folder.name == "version_1"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert not is_being_written(folder)
    assert run("fit", *review, "--ckpt_path=runs/mine/version_0").run.folder == folder


def test_what_a_killed_process_left_behind_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = hold(tmp_path)
    try:
        monkeypatch.setattr(run_lock, "_is_gone", lambda holder: True)
        monkeypatch.setattr(run_lock, "ORPHANS", 0.1)
        with pytest.raises(InputError, match="locked by what process"):
            RunLock(tmp_path).acquire()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_training_and_a_test_write_one_table(tmp_path: Path) -> None:
    place = {"save_dir": str(tmp_path), "name": "", "version": "run"}
    fit, test = RunCSVLogger(**place), RunCSVLogger(**place)
    for step in range(3):
        fit.log_metrics({"train/loss": 1.0 + step}, step)
        fit.save()
        test.log_metrics({f"test/{step}": 0.5}, step)
        test.save()
    path = tmp_path / "run/metrics.csv"
    path.write_bytes(path.read_bytes() + b"3,7.")  # killed while it wrote
    fit.log_metrics({"train/loss": 9.0}, 4)
    fit.save()
    lines = list(csv.reader(path.read_text().splitlines()))
    assert {len(line) for line in lines} == {5}
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["train/loss"] for row in rows if row["train/loss"]] == ["1.0", "2.0", "3.0", "9.0"]
    assert [row["test/2"] for row in rows if row["test/2"]] == ["0.5"]


def test_what_killed_processes_left_of_files_goes(tmp_path: Path) -> None:
    left = [tmp_path / f".{name}.0c28daeb.tmp" for name in ("summary.json", "metrics.csv", "mine.json")]
    for path in left:
        path.write_text("{")
    with shared_files(tmp_path):
        assert [path.exists() for path in left] == [False, False, True]


def test_what_is_trained_again_is_told_once(tmp_path: Path) -> None:
    logger = RunCSVLogger(save_dir=str(tmp_path), name="", version="run")
    for step in (3, 7, 11):
        logger.log_metrics({"val/loss": 1.0 * step}, step)
    logger.log_metrics({"test/loss": 0.5}, 11)
    logger.save()
    path = tmp_path / "run/metrics.csv"
    path.write_bytes(path.read_bytes() + b"3,1")
    forget_from(path, 8)  # resumed after eight steps
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [(row["step"], row["val/loss"], row["test/loss"]) for row in rows] == [
        ("3", "3.0", ""), ("7", "7.0", ""), ("11", "", "0.5"),
    ]  # fmt: skip


# ---------------------------------------------------------------------- what is whole


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "run/checkpoints/best.ckpt"
    path.parent.mkdir(parents=True)
    torch.save({"state_dict": {"w": torch.randn(3000)}, "global_step": 3}, path)
    return path


def test_a_flipped_bit_is_found(checkpoint: Path) -> None:
    content, harmless, said = checkpoint.read_bytes(), 0, set()
    expected = read_checkpoint(checkpoint)["state_dict"]["w"].clone()
    for place in range(0, len(content), 97):
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        checkpoint.write_bytes(flipped)
        try:
            found = read_checkpoint(checkpoint)["state_dict"]["w"]
        except InputError as error:
            said.add(re.sub(r".*best\.ckpt is (damaged|not a complete checkpoint).*", r"\1", str(error)))
        else:
            assert torch.equal(found, expected)  # between the entries nothing is read
            harmless += 1
    assert said == {"damaged", "not a complete checkpoint"}
    assert harmless < len(content) / 97 / 2
    checkpoint.write_bytes(content)
    assert damage(checkpoint) is None


def test_a_cut_or_zeroed_checkpoint(checkpoint: Path) -> None:
    content = checkpoint.read_bytes()
    for length in (0, 1, 1000, len(content) - 30):
        checkpoint.write_bytes(content[:length])
        assert not is_complete(checkpoint)
        assert "cut off" in str(damage(checkpoint))
        with pytest.raises(InputError, match="not a complete checkpoint"):
            read_checkpoint(checkpoint)
    checkpoint.write_bytes(content[:2000] + bytes(4000) + content[6000:])
    assert is_complete(checkpoint)
    assert "checksum" in str(damage(checkpoint))
    assert read_checkpoint(checkpoint, whole=False)["global_step"] == 3


def test_no_other_weights_stand_in_for_the_best(checkpoint: Path) -> None:
    last = checkpoint.with_name("last.ckpt")
    last.write_bytes(checkpoint.read_bytes())
    checkpoint.write_bytes(checkpoint.read_bytes()[:900])
    with pytest.raises(InputError, match=r"best\.ckpt is half-written; --ckpt_path .*last\.ckpt is whole"):
        find_checkpoint(checkpoint.parent.parent, "best")
    assert find_checkpoint(checkpoint.parent.parent, "last") == last


def inside_of(archive: Path) -> int:
    """Return a place in the middle of the largest file of an archive; between files, no checksum covers the bytes."""
    with zipfile.ZipFile(archive) as files:
        largest = max(files.infolist(), key=lambda info: info.file_size)
    name, extra = struct.unpack_from("<HH", archive.read_bytes(), largest.header_offset + 26)
    return largest.header_offset + 30 + int(name) + int(extra) + largest.file_size // 2


def test_a_damaged_checkpoint_ends_in_one_message(review: tuple[str, ...], run: Run, fails: Fails) -> None:
    run("fit", *review)
    folder = Path("runs/mine/version_0/checkpoints")
    (folder / "older.ckpt").write_bytes((folder / "last.ckpt").read_bytes())
    for name in ("best", "last"):
        path = folder / f"{name}.ckpt"
        content = bytearray(path.read_bytes())
        content[inside_of(path)] ^= 4
        path.write_bytes(content)
    for args in (("test",), ("fit", "--ckpt_path=last")):
        message = fails(args[0], *review, *args[1:])
        assert "is damaged: the checksum of" in message
        assert "; --ckpt_path runs/mine/version_0/checkpoints/older.ckpt is whole." in message


def test_files_take_their_name_when_they_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "folder/summary.json"
    write_text(path, "{}")

    def full(*args: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*summary\.json'"):
        write_text(path, "{1}")
    assert path.read_text() == "{}"
    assert list(path.parent.iterdir()) == [path]


def test_a_full_disk_names_what_was_saved(
    review: tuple[str, ...], fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, saves = torch.save, iter(range(99))

    def full(content: Any, file: Any) -> None:
        if next(saves) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        usual(content, file)

    monkeypatch.setattr("pretune.cli.callbacks.checkpoints.torch.save", full)
    message = fails("fit", *review, "--trainer.max_epochs=9")
    assert "The checkpoint " in message
    assert "No space left" in message
    assert "writing to runs/mine/version_0; saved are runs/mine/version_0/checkpoints/best.ckpt" in message
    assert "--ckpt_path last" in message
    assert summary("runs/mine/version_0")["fit"]["status"] == "failed"
    assert not list(Path("runs").rglob("*.tmp"))
