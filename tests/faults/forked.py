"""Commands as processes of their own that need no imports: this process has made them, and forks.

It must do nothing but wait and compare files itself: whoever forks after having computed something may hang.
"""

from __future__ import annotations

import atexit
import gc
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

LONGEST = 300.0
"""Seconds after which a command counts as one that hangs."""
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate")

IMPORTED = (
    "matplotlib.backends.backend_agg", "matplotlib.pyplot", "torch.utils.tensorboard",
    "transformers.models.bert.modeling_bert", "transformers.models.bert.tokenization_bert",
    "pretune.main", "pretune.datamodules", "pretune.modules", "pretune.cli.commands.benchmark",
    "pretune.cli.commands.estimate",
    "pretune.cli.commands.seeds", "pretune.cli.commands.suites", "pretune.cli.commands.tune", "pretune.cli.pretune_cli",
)  # fmt: skip

Action = Callable[[], None]


def import_everything() -> None:
    """Imports what commands need, once for all of them."""
    os.environ.update(HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1", CUDA_VISIBLE_DEVICES="", TOKENIZERS_PARALLELISM="false")
    os.environ.update(PRETUNE_KEEP_MEMORY="0")
    for name in IMPORTED:
        import_module(name)
    import torch

    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()


@dataclass
class Command:
    """A command that runs, or ran."""

    pid: int
    log: Path
    code: int | None = None
    """As a shell has it: 128 and the signal's number for what a signal has ended."""

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def ended(self) -> bool:
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self.code = code if code >= 0 else 128 - code
        return self.code is not None

    def wait(self) -> int:
        """Waits for its end; one that hangs is ended and has no code but -1."""
        until = time.monotonic() + LONGEST
        while not self.ended():
            if time.monotonic() > until:
                self.kill()
                os.waitpid(self.pid, 0)
                self.code = -1
                break
            time.sleep(0.02)
        assert self.code is not None
        return self.code

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def computed(self) -> float:
        """Seconds of a core that it has taken until now: a moment that does not depend on what else is running."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def at(self, seconds: float, act: Action) -> bool:
        """Acts once it has computed so long; False if it ended before."""
        while not self.ended():
            if self.computed() >= seconds:
                act()
                return True
            time.sleep(0.002)
        return False


def start(args: Sequence[str], folder: Path, before: Action = lambda: None, log: str = "log.txt") -> Command:
    """Starts `python main.py ARGS` in a folder.

    Args:
        args: of the command line.
        folder: to run in; its cache lies there too, unless `before` says otherwise.
        before: what the process does first.
        log: file for what it says.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / log
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        _become(args, folder, place, before)
    return Command(pid, place)


def _become(args: Sequence[str], folder: Path, log: Path, before: Action) -> None:
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for descriptor in (1, 2):
            os.dup2(target, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ["PRETUNE_CACHE"] = str(folder / "cache")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        random.seed()
        from pretune import main
        from pretune.cli import stop_signals

        stop_signals.STARTED = time.monotonic()
        sys.argv = ["main.py", *args]
        before()
        main.main()
        code = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        _end(code)


def _end(code: int) -> None:
    """What the interpreter does at its end."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


class FileEvents:
    """Acts before the n-th change of a file that this process makes: opening to write, renaming, flushing, removing.

    Args:
        number: which; 0 acts never.
        act: what to do then.
        told: a file that holds, at the end, how many there were.
    """

    def __init__(self, number: int, act: Action, told: Path | None = None) -> None:
        self.number, self.act, self.seen = number, act, 0
        self.told = told

    def install(self) -> None:
        sync = os.fsync

        def fsync(descriptor: Any) -> None:
            self._count()
            sync(descriptor)

        os.fsync = fsync
        sys.addaudithook(self._hear)
        if (told := self.told) is not None:
            atexit.register(lambda: told.write_text(str(self.seen)))

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if event in CHANGES or (event == "open" and isinstance(args[2], int) and args[2] & WRITES):
            self._count()

    def _count(self) -> None:
        self.seen += 1
        if self.seen == self.number:
            self.act()
