"""What becomes of files, asked of a process that may crash or hang."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuzz_worker import receive, send

import pretune

LIMIT = 20.0
"""Seconds until an example, which takes a fraction of one, counts as one that hangs."""


@dataclass(frozen=True)
class Answer:
    """What came of an example.

    Args:
        verdict: `data`, `told` (an error that the user can act on), or `rough`.
        text: the message or traceback.
    """

    verdict: str
    text: str


class Child:
    """The process, started when it is first needed and again after one has died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  as long as this lives

    def ask(self, target: str, files: dict[str, bytes], limit: float = LIMIT, **options: Any) -> Answer:
        """Has files used by one of the functions of `fuzz_targets`."""
        process = self._process or self.start()
        assert process.stdin is not None
        self._said.seek(0)
        self._said.truncate()
        try:
            send(process.stdin, {"target": target, "files": files, "options": options, "limit": limit})
        except BrokenPipeError:
            return self._died("before it was asked")
        found = self._answer(limit + 20)
        return self._died("it hangs, or has crashed") if found is None else Answer(*found)

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def start(self) -> subprocess.Popen[bytes]:
        """Starts it, which takes as long as imports do."""
        here, root = Path(__file__).parent, Path(pretune.__file__).parent.parent
        self._process = subprocess.Popen(
            [sys.executable, str(here / "fuzz_worker.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (root, here, here.parent)))},
        )  # fmt: skip
        if self._answer(300) != "ready":
            raise RuntimeError(self._died("it does not start").text)
        return self._process

    def _answer(self, limit: float) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], limit)
        return receive(self._process.stdout) if ready else None

    def _died(self, how: str) -> Answer:
        assert self._process is not None
        process = self._process
        self.close()
        self._said.seek(0)
        said = self._said.read().decode(errors="replace")[-6000:]
        return Answer("rough", f"{how} (code {process.returncode}):\n{said}")
