"""What is wrong is said once, as what it is, and nothing half written is taken for a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("datatrove")

from preparing_support import CHARACTERS, run, sentences  # type: ignore[import-not-found]

from pretune.datamodules import Cleaning
from pretune.datamodules.preparing import steps
from pretune.errors import InputError

PLAIN: dict[str, Any] = {"train_files": "a.txt", "tokenizer": CHARACTERS, "validation_fraction": 0.0}


def fails(text: str) -> bool:
    raise ZeroDivisionError("by zero")


@pytest.fixture(autouse=True)
def _corpus(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n".join(sentences(100)))


@pytest.mark.parametrize("exact", [False, True])
def test_nothing_is_left(exact: bool, capfd: pytest.CaptureFixture[str], tokenizer_folder: Path) -> None:
    options = {**PLAIN, "tokenizer": str(tokenizer_folder)}
    with pytest.raises(InputError, match=r"No document is left in train: 100 too short"):
        run("out", cleaning=Cleaning(min_characters=9_999, exact_duplicates=exact, near_duplicates=0.8), **options)
    assert not Path("out", "manifest.json").exists()
    assert "Traceback" not in capfd.readouterr().err


def test_nothing_is_held_out() -> None:
    with pytest.raises(
        InputError, match=r"None of 100 documents is held out: raise data.validation_fraction \(1e-09\)"
    ):
        run("out", **{**PLAIN, "validation_fraction": 1e-9})


def test_nothing_is_read() -> None:
    with pytest.raises(InputError, match=r"There is nothing to prepare: set data.train_files"):
        run("out", tokenizer=CHARACTERS)
    with pytest.raises(InputError, match=r"There is no file b.txt"):
        run("out", **{**PLAIN, "train_files": "b.txt"})
    assert not Path("out").exists()


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_bad_line_is_told_with_its_place(
    workers: int, capfd: pytest.CaptureFixture[str], tokenizer_folder: Path
) -> None:
    lines = [b'{"text": "%s"}' % text.encode() for text in sentences(300)]
    lines[250] = b'{"text": '
    Path("a.jsonl").write_bytes(b"\n".join(lines))
    options = {**PLAIN, "train_files": "a.jsonl", "tokenizer": str(tokenizer_folder)}
    with pytest.raises(InputError, match=r"a.jsonl:251: not JSON at column"):
        run("out", workers=workers, **options)
    told = capfd.readouterr()
    assert "Traceback" not in told.err + told.out
    lines[250] = b'{"text": "mended"}'
    Path("a.jsonl").write_bytes(b"\n".join(lines))
    with pytest.raises(InputError, match=r"what the input files hold is not"):
        run("out", workers=workers, **options)


def test_a_filter_that_fails(tokenizer_folder: Path) -> None:
    options = {**PLAIN, "tokenizer": str(tokenizer_folder)}
    with pytest.raises(InputError, match=r"data.cleaning.filter: .*fails failed with ZeroDivisionError: by zero"):
        run("out", cleaning=Cleaning(filter=fails), **options)
    with pytest.raises(InputError, match=r"cannot be sent to another process"):
        run("other", cleaning=Cleaning(filter=lambda text: True), **options)


def test_what_is_no_mistake_of_the_users_names_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps.TokenStep, "portion", lambda *_: 1 / 0)
    with pytest.raises(
        InputError, match=r"A task failed \(ZeroDivisionError: division by zero\): its log is in "
    ) as told:
        run("out", **PLAIN)
    logs = Path(str(told.value).partition("its log is in ")[2].partition(": ")[0].partition(". ")[0])
    assert "ZeroDivisionError" in next(logs.glob("*.log")).read_text()


def test_a_missing_package_is_said_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "py3langid.langid", None)
    with pytest.raises(InputError, match=r'needs the package py3langid: pip install "pretune\[prepare\]"'):
        run("out", cleaning=Cleaning(languages=["en"]), **PLAIN)
    assert not Path("out").exists()


def test_a_file_that_is_cut_between_two_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    worked = steps.TokenStep.portion

    def cut(self: Any, portion: Any) -> Any:
        Path("a.txt").write_text("\n".join(sentences(100)[:10]))
        return worked(self, portion)

    monkeypatch.setattr(steps.TokenStep, "portion", cut)
    with pytest.raises(InputError, match=r"train-0000\d holds fewer documents than before: the input was changed"):
        run("out", cleaning=Cleaning(near_duplicates=0.8), **PLAIN)
