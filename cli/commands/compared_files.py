"""Which files of predictions a comparison read, how many of their rows have no answer, and which others lie there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import InputError
from .prediction_tables import Row, written_files

Table = tuple[Path, list[Row]]


def abstained(rows: Sequence[Row]) -> int:
    """Return how many rows were answered by nothing, because of a threshold."""
    return sum(str(row.get("abstained")) == "True" and row["prediction"] == "" for row in rows)


def check_answered(tables: Sequence[Table]) -> None:
    """Refuse files in which no row has an answer.

    Raises:
        InputError: naming the file.
    """
    for path, rows in tables:
        if abstained(rows) == len(rows):
            raise InputError(
                f"{path}: all {len(rows):,} rows abstained (none reached --threshold): there is nothing to compare. "
                "Predict with a lower --threshold or without one, or name another file in place of the run."
            )


def read_lines(tables: Sequence[Table], withheld: bool) -> list[str]:
    """Return a line for each file that was read, and one about others beside them, if there are any.

    Args:
        tables: the files with their rows.
        withheld: whether rows without an answer count as wrong.
    """
    lines = []
    for path, rows in dict(tables).items():
        count = abstained(rows) if withheld else 0
        lines.append(f"Read {path}" + (f": {count:,} of {len(rows):,} abstained (count as wrong)." if count else "."))
    read = {path for path, _ in tables}
    others = [file for home in dict.fromkeys(path.parent for path, _ in tables) for file in written_files(home)]
    if others := [file for file in others if file not in read]:
        many = "1 other file" if len(others) == 1 else f"{len(others):,} other files"
        lines.append(
            f"{many} of predictions {'lies' if len(others) == 1 else 'lie'} beside, the newest {others[0]}: named in "
            "place of its run, a file is compared."
        )
    return lines
