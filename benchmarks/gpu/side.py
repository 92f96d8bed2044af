"""One side of one measure, as a process of its own that has its turn and its time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

UNFINISHED = "unfinished"
"""Of a result: what cut it off; the next call tries it again."""


@dataclass
class Run:
    """One side of one measure, as a process.

    Args:
        measure: its name.
        side: its name.
        spec: what the program is told.
        program: its file.
        limit: seconds that it may take, once it is its turn.
    """

    measure: str
    side: str
    spec: dict[str, Any]
    program: Path
    limit: float
    folder: Path = field(default_factory=Path)
    process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """For the results' file."""
        return f"{self.measure} {self.side}"

    def start(self) -> None:
        """Starts it; it imports its libraries and waits for its turn."""
        self.folder = Path(tempfile.mkdtemp(prefix="gpu-"))
        self.spec |= {"folder": str(self.folder), "turn": str(self.folder), "result": str(self.folder / "result.json")}
        self.spec["parent"] = os.getpid()
        (self.folder / "spec.json").write_text(json.dumps(self.spec))
        command = [sys.executable, str(self.program), str(self.folder / "spec.json")]
        with (self.folder / "log.txt").open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=self._surroundings(), start_new_session=True
            )

    def log(self) -> bytes:
        """What it printed."""
        path = self.folder / "log.txt"
        return path.read_bytes() if path.is_file() else b""

    def _surroundings(self) -> dict[str, str]:
        found = {**os.environ, "PRETUNE_CACHE": self.spec["cache"], "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
        if self.spec["device"] == "cuda":
            found.setdefault("CUDA_VISIBLE_DEVICES", "0")
        found["TORCHINDUCTOR_CACHE_DIR"] = str(self.folder / "inductor")  # compiled anew: its time is a figure
        return found

    def finish(self, seconds: float) -> dict[str, Any] | str:
        """Gives it its turn and so many seconds; its result, or what went wrong."""
        assert self.process is not None
        began, limit = time.monotonic(), min(self.limit, seconds)
        (self.folder / "go").touch()
        try:
            code = self.process.wait(limit)
            wrong = f"ended with {code}" if code else ""
        except subprocess.TimeoutExpired:
            wrong = f"took more than {limit:.0f} s"
        finally:
            self.end()
        found = read(Path(self.spec["result"]))
        if not found:
            return wrong or "left no result"
        if wrong:
            found[UNFINISHED] = wrong
        return {**found, "process_seconds": round(time.monotonic() - began, 1)}

    def end(self) -> None:
        """Ends it and what it started, which may have outlived it and would keep the device."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def clear(self) -> None:
        """Ends it and removes its files."""
        self.end()
        if self.process is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def read(path: Path) -> dict[str, Any]:
    """What a run has written so far; nothing where it was cut off in the middle of that."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found
