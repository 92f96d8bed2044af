"""`report RUN [RUN ...]`: which runs are meant, where the page goes, and one message for what is wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_runs import labeled, make_run

from pretune.cli.commands.report import report
from pretune.main import main


def test_a_name_means_its_newest_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(Path("runs/mine/version_9"), labeled(9))
    make_run(Path("runs/mine/version_10"), labeled(9))
    main(["report", "runs/mine"])
    assert capsys.readouterr().out == "Report: runs/mine/version_10/report.html\n"
    assert Path("runs/mine/version_10/report.html").is_file()
    assert not Path("runs/mine/version_9/report.html").exists()


def test_several_and_seeds_stand_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("mine", "other/seed_1", "other/seed_2"):
        make_run(Path(f"runs/{name}/version_0"))
    made = report(["runs/mine", "runs/other", "runs/mine/version_0"], "pages/both.html")
    assert [run.folder for run in made.runs] == [
        Path("runs/mine/version_0"), Path("runs/other/seed_1/version_0"), Path("runs/other/seed_2/version_0")
    ]  # fmt: skip
    assert "3 runs side by side" in Path("pages/both.html").read_text(encoding="utf-8")
    report(["runs/mine", "runs/other"])
    assert Path("report.html").is_file()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["runs/mien"], "There is no run folder runs/mien. In runs there are: mine"),
        (["empty"], "empty is no run folder"),
        (["runs"], "runs is no run, but holds some: mine"),
        (
            ["mine.yaml"],
            "mine.yaml lies in no run folder: a run folder would work",
        ),
        (["mine.yaml"], "such as runs/mine, or a file in one."),
        (
            ["other.yaml"],
            "runs/NAME or runs/NAME/version_N, or a file in one.",
        ),
        (["runs/mine", "--output", "page.pdf"], "ends in .html"),
        (["runs/mine", "--output", "file/report.html"], "cannot be written"),
    ],
)
def test_what_is_wrong_is_said_once_and_nothing_is_written(
    fails: Callable[..., str], args: list[str], said: str
) -> None:
    make_run(Path("runs/mine/version_0"))
    Path("empty").mkdir()
    for file in ("file", "mine.yaml", "other.yaml"):
        Path(file).write_text("")
    before = sorted(Path().rglob("*"))
    assert said in fails("report", *args)
    assert sorted(Path().rglob("*")) == before


def test_runs_of_the_version_before() -> None:
    shutil.copytree(Path(__file__).parents[2] / "data/runs-0.1/runs", "runs")
    for name in ("classify", "pretrain", "adapt"):
        (run,) = report([f"runs/{name}"]).runs
        assert run.lineage
        assert run.curves.validation[0][0] == 0  # before training
    assert report(["runs/pretrain"]).runs[0].curves.losses


def test_it_needs_no_torch() -> None:
    make_run(Path("runs/mine/version_0"), labeled(30))
    code = "import sys; from pretune.main import main; main(['report', 'runs/mine']); print('torch' in sys.modules)"
    done: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
