"""What was begun goes on, what is finished is left alone, and what is something else is not touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("datatrove")

from preparing_support import CHARACTERS, content, documents, run, sentences  # type: ignore[import-not-found]

from pretune.datamodules import Cleaning
from pretune.datamodules.preparing import steps
from pretune.datamodules.preparing.state import differences
from pretune.errors import InputError
from pretune.storage.prepared import read_manifest

CLEANING: dict[str, Any] = {"exact_duplicates": True, "near_duplicates": 0.8}


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    texts = sentences(250)
    (tmp_path / "a.txt").write_text("\n".join([*texts, *texts[:60], *(f"{text} again" for text in texts[:60])]))
    return {
        "train_files": "a.txt",
        "tokenizer": CHARACTERS,
        "validation_fraction": 0.2,
        "cleaning": Cleaning(**CLEANING),
    }


class Killed(BaseException):
    """Stands for the end of a process: nothing catches it."""


@pytest.mark.parametrize("stage", [steps.HashStep, steps.SignatureStep, steps.TokenStep])
@pytest.mark.parametrize("late", [False, True])
def test_a_stopped_preparation_goes_on(
    options: dict[str, Any], stage: type[steps.PortionStep], late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("whole", tasks=4, **options)
    worked = stage.portion
    done: list[str] = []

    def killed(self: Any, portion: Any) -> Any:
        if len(done) == 5 and not late:
            raise Killed
        facts = worked(self, portion)
        if len(done) == 5:  # all is written, and nothing is noted
            raise Killed
        done.append(portion.name)
        return facts

    monkeypatch.setattr(stage, "portion", killed)
    with pytest.raises(Killed):
        run("out", tasks=4, **options)
    assert not Path("out", "manifest.json").exists()

    again: list[str] = []
    monkeypatch.setattr(stage, "portion", lambda self, portion: again.append(portion.name) or worked(self, portion))
    run("out", tasks=3, **options)
    assert not set(done) & set(again)
    assert len(done) + len(again) > 10
    assert content("out") == content("whole")


def test_what_is_finished_is_left_alone(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    run("out", **options)
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")}
    Path("out", "unfinished").mkdir()  # as one leaves it that is stopped at its very end
    monkeypatch.setattr(steps.PortionStep, "run", None)
    assert run("out", tasks=9, **options).manifest == read_manifest("out")
    assert {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")}.keys() == before.keys()
    assert {path: path.stat().st_mtime_ns for path in before if path.is_file()} == {
        path: when for path, when in before.items() if path.is_file()
    }


@pytest.mark.parametrize("finished", [True, False])
def test_other_options_are_refused(options: dict[str, Any], finished: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if finished:
        run("out", **options)
    else:
        with monkeypatch.context() as patch:
            patch.setattr(steps.TokenStep, "portion", lambda *_: 1 / 0)
            with pytest.raises(InputError):
                run("out", **options)
    before = content("out")
    what = "holds a corpus that was prepared" if finished else "holds the beginning of a corpus"
    other = {**options, "cleaning": Cleaning(**CLEANING, min_characters=5), "validation_fraction": 0.1}
    with pytest.raises(InputError) as told:
        run("out", **other)
    assert f"{what} otherwise: " in str(told.value)
    assert ("or delete what was begun" in str(told.value)) is not finished
    assert "cleaning.min_characters was 0, and is 5; validation_fraction was 0.2, and is 0.1" in str(told.value)
    with pytest.raises(InputError, match=r"portion_size was 2000, and is 3000"):
        run("out", size=3_000, **options)
    with pytest.raises(InputError, match=r"tokenizer.vocab_size was 200, and is 201"):
        run("out", **{**options, "tokenizer": {**CHARACTERS, "vocab_size": 201}})
    Path("a.txt").write_text(Path("a.txt").read_text().replace("birds", "cats"))
    with pytest.raises(InputError, match=r"the options are the same, but what the input files hold is not"):
        run("out", **options)
    assert content("out") == before


def test_what_is_something_else_is_not_touched(options: dict[str, Any]) -> None:
    Path("out").mkdir()
    Path("out", "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"out is not empty, and not a prepared corpus \(thesis.tex\)"):
        run("out", **options)
    assert content("out") == {"thesis.tex": b"years of work"}
    Path("out", "manifest.json").write_text('{"files": {}}')
    with pytest.raises(InputError, match=r"is not the manifest of a corpus in format 1"):
        run("out", **options)
    with pytest.raises(InputError, match=r"a.txt is a file; it must be a folder"):
        run("a.txt", **options)


def test_an_empty_folder_or_one_that_was_hardly_begun_will_do(options: dict[str, Any]) -> None:
    Path("out", "unfinished").mkdir(parents=True)
    run("out", **options)
    assert read_manifest("out").documents > 200


def test_differences() -> None:
    there = {"a": {"b": 1, "c": [1, {"d": "x"}]}, "e": None}
    assert differences(there, there) == []
    wanted = {"a": {"b": 1, "c": [1, {"d": "y"}]}, "e": None, "f": True}
    assert differences(there, wanted) == ['a.c[1].d was "x", and is "y"', "f was null, and is true"]


SCRIPT = """
import sys
from pretune.datamodules import Cleaning, CorpusDataModule
from pretune.datamodules.preparing.executors import Executors
from pretune.datamodules.preparing.prepare import prepare
if __name__ == "__main__":
    data = CorpusDataModule("a.txt", tokenizer={"train": "character", "vocab_size": 200}, validation_fraction=0.2,
                            cleaning=Cleaning(exact_duplicates=True, near_duplicates=0.8))
    prepare(data, "out", Executors(tasks=6, workers=2), 2_000)
"""


@pytest.mark.slow
def test_a_killed_process(options: dict[str, Any], tmp_path: Path) -> None:
    """Killed itself, and then one of its workers; the third run comes to the end."""
    import psutil

    run("whole", **options)
    Path("script.py").write_text(SCRIPT)
    for victim, stage in (("all", "hashes"), ("worker", "signatures")):
        process = subprocess.Popen([sys.executable, "script.py"], stderr=subprocess.PIPE, text=True)
        marks = Path("out", "unfinished", stage, "done")
        while not (marks.is_dir() and len(list(marks.iterdir())) > 2):
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.02)
        children = psutil.Process(process.pid).children(recursive=True)
        workers = [child for child in children if child.parent() and child.parent().pid != process.pid]
        if victim == "all":
            process.kill()
            for child in children:
                child.kill() if child.is_running() else None
        else:
            os.kill(workers[-1].pid, signal.SIGKILL)
        said = process.communicate(timeout=120)[1]
        assert process.returncode != 0
        assert not Path("out", "manifest.json").exists()
        if victim == "worker":
            assert "A process was killed" in said
    subprocess.run([sys.executable, "script.py"], check=True, timeout=300)
    assert content("out") == content("whole")


def test_copies_far_apart(tmp_path: Path) -> None:
    """The copy in an earlier portion stays, whichever task comes first."""
    texts = sentences(200)
    (tmp_path / "a.txt").write_text("\n".join([*texts, *reversed(texts)]))
    options: dict[str, Any] = {"train_files": "a.txt", "tokenizer": CHARACTERS, "validation_fraction": 0.0}
    made = run("out", tasks=5, cleaning=Cleaning(exact_duplicates=True), **options)
    assert documents("out", made.manifest) == texts
