"""Corrections: a file of rows in the form of the training files, to which one line at a time is added."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from filelock import FileLock

from ...errors import InputError

DUPLICATE = "duplicate_of"
"""The column that says in which line of the file the same was corrected before."""


class Corrections:
    """A file of corrections.

    Args:
        path: of the file, which is made with the first of them.

    Raises:
        InputError: if it cannot be written, or is no `.jsonl`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.suffix != ".jsonl":
            raise InputError(f"--corrections {path}: rows are added as JSON lines; corrections.jsonl would work.")
        folder = self.path.parent
        if (
            self.path.is_dir()
            or not folder.is_dir()
            or not os.access(self.path if self.path.exists() else folder, os.W_OK)
        ):
            raise InputError(f"--corrections {path} cannot be written: a file in a folder of your own would work.")

    def add(self, row: dict[str, Any], asked: list[str]) -> str:
        """Append a row, whole or not at all; whoever else writes the file waits.

        Args:
            row: to train on.
            asked: its columns that were asked: rows with the same are duplicates.

        Returns:
            What was done.
        """
        with FileLock(f"{self.path}.lock"):
            lines = self._lines()
            same = next((number for number, known in enumerate(lines, 1) if _same(known, row, asked)), None)
            marked = row if same is None else {**row, DUPLICATE: same}
            text = json.dumps(marked, ensure_ascii=False) + "\n"
            if lines and not self.path.read_bytes().endswith(b"\n"):
                text = "\n" + text
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(descriptor, text.encode("utf-8", "surrogatepass"))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        again = "" if same is None else f" The same was corrected before, in line {same}: it is marked as a duplicate."
        return f"Kept in {self.path}, line {len(lines) + 1}.{again}"

    def _lines(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        rows = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            rows.append(row if isinstance(row, dict) else {})
        return rows


def _same(known: dict[str, Any], row: dict[str, Any], asked: list[str]) -> bool:
    return bool(asked) and all(name in known and known[name] == row[name] for name in asked)
