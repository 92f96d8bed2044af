"""What a run came to, as a page: `python main.py report RUN [RUN ...]`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import InputError
from ...text.visible import visible
from ..reporting import Report
from ..reporting.which_runs import runs_at
from ..terminal import say
from ..verb_options import read_all_options


@dataclass(frozen=True)
class ReportOptions:
    """What `report` is asked.

    Args:
        runs: folders of runs: runs/NAME (its newest version), runs/NAME/version_N, or a folder of seeds.
        output: the file; left out, report.html in the run's folder, or here where there are several runs.
    """

    runs: list[str] = field(metadata={"positional": True, "metavar": "RUN"})
    output: str | None = field(default=None, metadata={"metavar": "FILE"})


def run_report(args: Sequence[str]) -> Report:
    """Write the report of a run, or of several runs side by side, as one page of HTML that needs no network.

    Args:
        args: what stands after `report`.

    Returns:
        The report.
    """
    options = read_all_options(ReportOptions, args)
    return report(options.runs, options.output)


def report(runs: Sequence[str | Path], output: str | Path | None = None) -> Report:
    """Return the report of runs, and write it.

    Args:
        runs: paths of runs.
        output: the file; null: `report.html` in the run's folder, or in the working folder if they are several.

    Raises:
        InputError: if one is no run, one of its files is damaged, or the page cannot be written.
    """
    made = Report(list({run.folder.resolve(): run for path in runs for run in runs_at(path)}.values()))
    if output is not None and (os.path.isdir(output) or Path(output).suffix not in (".html", ".htm")):
        raise InputError(f"--output {output}: the name of a file that ends in .html would work, such as report.html.")
    try:
        path = made.save(output)
    except OSError as error:
        raise InputError(f"{error.filename}: the report cannot be written ({error.strerror}).") from error
    say(visible(f"Report: {path}"))
    return made
