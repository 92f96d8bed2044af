"""Somebody whose commands read from a hub, in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUNNER = """
import json, os, sys, time
import datasets, pretune.datamodules, pretune.modules, transformers
from pretune.main import main

answers = os.fdopen(os.dup(1), "w")
for line in sys.stdin:
    asked, code = json.loads(line), 0
    for name, number in (("out", 1), ("err", 2)):
        os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.update(asked["environment"])
    began = time.monotonic()
    try:
        main(asked["words"])
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        code = 99
        sys.excepthook(*sys.exc_info())
    for name in asked["environment"]:
        del os.environ[name]
    sys.stdout.flush(), sys.stderr.flush()
    print(json.dumps([code or 0, time.monotonic() - began]), file=answers, flush=True)
"""
"""Runs commands, each as the command line does: what takes long is to import torch."""


@dataclass
class Done:
    """A command that has ended: its exit code, what it printed, and its seconds."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def message(self) -> str:
        """The one message of a command that failed."""
        assert self.code, self.err
        assert "Traceback" not in self.err, self.err
        errors = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, self.err
        assert self.err.strip().splitlines()[-1] == errors[0]
        return errors[0].removeprefix("error: ")

    @property
    def warnings(self) -> str:
        """What it warned of."""
        return "\n".join(line for line in self.err.splitlines() if line.startswith("warning: "))


class User:
    """Somebody with a cache of the Hub's files, whose commands run one after the other in one process.

    Args:
        endpoint: the server.
        folder: where the commands run, and `$HF_HOME` is.
        environment: what else differs.
    """

    def __init__(self, endpoint: str, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.home = folder / "hf"
        folder.mkdir(parents=True, exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
        given = {"HF_ENDPOINT": endpoint, "HF_HOME": str(self.home), "HF_HUB_OFFLINE": "0"}
        given |= {"no_proxy": "*", "PRETUNE_CACHE": str(folder / "cache")}
        self._process = subprocess.Popen(
            [sys.executable, "-c", RUNNER], cwd=folder, env={**kept, **given, **environment},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *words: Any, **environment: str) -> Done:
        """Run a command, and return how it ended.

        Args:
            words: what stands after `main.py`.
            environment: variables for this command alone.
        """
        out, err = self.folder / "out.txt", self.folder / "err.txt"
        asked = {"words": [str(word) for word in words], "out": str(out), "err": str(err), "environment": environment}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        code, seconds = json.loads(self._process.stdout.readline())
        return Done(code, out.read_text(), err.read_text(), seconds)

    def fit(self, config: str, *more: Any, verb: str = "fit", **environment: str) -> Done:
        """Train a configuration for a step.

        Args:
            config: its name below configs/.
            more: further words.
            verb: another one.
            environment: variables for this command alone.
        """
        import pretune

        short = ("--trainer.max_steps=1", "--trainer.limit_val_batches=1", "--trainer.val_check_interval=1")
        fast = ("--trainer.num_sanity_val_steps=0", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false")
        path = Path(pretune.__file__).parent / f"configs/{config}.yaml"
        return self.run(verb, "--config", path, *short, *fast, "--data.batch_size=2", *more, **environment)

    def leave(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
