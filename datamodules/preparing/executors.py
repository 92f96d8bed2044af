"""Who does the tasks: processes of this machine, a Slurm cluster, a Ray cluster. All are datatrove's."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from copy import deepcopy
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.utils.stats import PipelineStats

from ...errors import InputError

Kind = Literal["local", "slurm", "ray"]
PRELOADED = f"{__package__}.steps"
"""What the process imports once that local tasks are forked from."""


@dataclass(frozen=True)
class Executors:
    """Makes executors.

    Args:
        kind: which.
        tasks: at most, for a stage.
        workers: tasks at a time.
        slurm: options of datatrove's `SlurmPipelineExecutor`.
        ray: options of datatrove's `RayPipelineExecutor`.
    """

    kind: Kind = "local"
    tasks: int = 64
    workers: int = 1
    slurm: dict[str, Any] | None = None
    ray: dict[str, Any] | None = None

    def check(self) -> None:
        """Refuse what is not there, before anything is written.

        Raises:
            InputError: saying what is missing.
        """
        if self.kind == "slurm":
            from .slurm import check

            check()
        elif self.kind == "ray":
            from .ray_cluster import check

            check()

    def run(self, step: PipelineStep, tasks: int, logs: str, told: Callable[[], str | None]) -> None:
        """Run a stage until all its tasks are done.

        Args:
            step: what each task does.
            tasks: how many there are.
            logs: URL of a folder for logs and completion markers.
            told: gives what a task left of a mistake of the user's.

        Raises:
            InputError: if a task failed.
        """
        executor = self._made(step, tasks, logs)
        try:
            executor.run()
        except InputError:
            raise
        except Exception as error:
            raise InputError(told() or _failed(logs, error)) from error
        if executor.get_incomplete_ranks(skip_completed=True):
            raise InputError(told() or _failed(logs, None))

    def _made(self, step: PipelineStep, tasks: int, logs: str) -> Any:
        if self.kind == "local":
            return LocalExecutor([step], tasks=tasks, workers=min(self.workers, tasks), logging_dir=logs)
        if self.kind == "slurm":
            from .slurm import SlurmExecutor

            return SlurmExecutor([step], tasks=tasks, workers=self.workers, logging_dir=logs, **self.slurm or {})
        from .ray_cluster import RayExecutor

        return RayExecutor([step], tasks=tasks, workers=self.workers, logging_dir=logs, **self.ray or {})


def _failed(logs: str, error: Exception | None) -> str:
    why = f" ({type(error).__name__}: {' '.join(str(error).split())[:300]})" if error is not None else ""
    return f"A task failed{why}: its log is in {logs}/logs. The same command goes on where this one stopped."


class LocalExecutor(LocalPipelineExecutor):
    """Runs tasks in processes of this machine, and notices where one is killed; a single one runs right here."""

    def run(self) -> None:
        """Run all tasks that are not done.

        Raises:
            InputError: if a process was killed.
        """
        ranks = self.get_incomplete_ranks()
        if not ranks:
            return
        self.save_executor_as_json()
        stats = list(map(self._here, ranks)) if self.workers == 1 else self._elsewhere(ranks)
        with self.logging_dir.open("stats.json", "wt") as file:
            sum(stats, start=PipelineStats()).save_to_disk(file)

    def _here(self, rank: int) -> PipelineStats:
        return deepcopy(self)._run_for_rank(rank)

    def _elsewhere(self, ranks: list[int]) -> list[PipelineStats]:
        context: Any = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([PRELOADED])
        pool = ProcessPoolExecutor(min(self.workers, len(ranks)), context, _ignore_interrupts)
        try:
            return list(pool.map(self._run_for_rank, ranks))
        except BrokenProcessPool as error:
            raise InputError(
                "A process was killed; the system may have run out of memory, which fewer --workers need less of. The "
                "same command goes on where this one stopped."
            ) from error
        finally:
            processes = list((pool._processes or {}).values())
            pool.shutdown(wait=False, cancel_futures=True)
            if sys.exc_info()[0] is not None:
                for process in processes:
                    process.terminate()

    def _run_for_rank(self, rank: int, local_rank: int = 0, node_rank: int = -1) -> PipelineStats:
        hush()
        return super()._run_for_rank(rank, local_rank, node_rank)


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the process that waits, which ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


_nowhere: Any = None


def hush() -> None:
    """Keep datatrove's messages to the logs of its tasks: what a user is to know, the command says."""
    global _nowhere
    if _nowhere is not None:
        return
    from datatrove.pipeline.dedup import exact_dedup
    from datatrove.utils import logging as theirs

    _nowhere = open(os.devnull, "w")  # noqa: SIM115  for as long as the process lives
    theirs.sys = SimpleNamespace(stderr=_nowhere)
    theirs.setup_default_logger()
    exact_dedup.tqdm = lambda items, **_: items


def python_path() -> str:
    """Return where Python looks for packages here, for processes elsewhere."""
    return os.pathsep.join(dict.fromkeys(os.path.abspath(place) for place in sys.path if os.path.isdir(place or ".")))
