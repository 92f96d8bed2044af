"""Processes that are started side by side as one job: the first chooses the run folder, the others are told."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..storage.atomic_files import write_text
from .slurm import SlurmJob

RUN, CHECKPOINT = "PRETUNE_RUN_FOLDER", "PRETUNE_CHECKPOINT"
"""Where a command tells the processes that a strategy launches what it chose."""
PATIENCE = 600.0
"""Seconds that a process waits for the first one's choice."""
RECENT = 900.0
"""Seconds after which a note of machines that nothing but an address tells apart is taken for an earlier start's."""

Choice = dict[str, Any]
"""Plain data: `folder` and `checkpoint`, or `error`."""
_calls = count()


def rank() -> int:
    """Return this process's number among those that something else than Lightning has started; 0 for one alone."""
    for name, size in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS"), ("NODE_RANK", "MASTER_ADDR")):
        if name == "SLURM_PROCID" and SlurmJob.current() is None:
            continue
        if name in os.environ and os.environ.get(size, "1") != "1":
            return int(os.environ[name])
    return 0


def speak_alone(trainer: Any) -> None:
    """Have a process that trains alone log and speak, whatever rank a left-over variable gives it.

    Args:
        trainer: that knows how many processes there are.
    """
    from lightning_utilities.core.rank_zero import rank_zero_only, rank_zero_warn

    if trainer.world_size > 1 or not getattr(rank_zero_only, "rank", 0):
        return
    number, rank_zero_only.rank = rank_zero_only.rank, 0  # type: ignore[attr-defined]
    names = [n for n in ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK") if n in os.environ]
    rank_zero_warn(
        f"{' and '.join(names) or 'The environment'} says that this is process {number}, and it trains alone: it logs "
        "and writes as the first. Processes that belong together need trainer.devices, and a strategy such as ddp."
    )


def is_launched() -> bool:
    """Return whether Lightning launched this process by the command line of another, which told it what it chose."""
    by_others = "TORCHELASTIC_RUN_ID" in os.environ or "SLURM_PROCID" in os.environ
    return int(os.environ.get("LOCAL_RANK", 0)) > 0 and RUN in os.environ and not by_others


def agree(root: Path, choose: Callable[[], Choice]) -> tuple[Choice, Path | None]:
    """Return what the first process chooses, in every process of a job.

    Args:
        root: `runs/<name>`, which all processes see.
        choose: of the first process.

    Returns:
        The choice, and the file that told it to the others; None where there is none.

    Raises:
        InputError: whatever choosing raises, in every process; or if the first one does not choose in time.
    """
    number = next(_calls)
    place: _Store | _Note | None = None
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        place = _Store(f"pretune/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}/{number}/{root}")
    elif (job := SlurmJob.current()) is not None and os.environ.get("SLURM_NTASKS", "1") != "1":
        place = _Note(root / f".job-{job.id}.{job.step}.{number}.json", recent=None)
    elif "NODE_RANK" in os.environ and "MASTER_ADDR" in os.environ:
        address = f"{os.environ['MASTER_ADDR']}-{os.environ.get('MASTER_PORT', '')}"
        place = _Note(root / f".job-{address.replace('/', '_')}.{number}.json", recent=RECENT)
    if place is None:
        return choose(), None
    if rank() > 0:
        choice = place.wait()
        if "error" in choice:
            raise InputError(str(choice["error"]))
        return choice, None
    try:
        choice = choose()
    except InputError as error:
        place.tell({"error": str(error)})
        raise
    place.tell(choice)
    return choice, place.path


class _Store:
    """The store of torchrun, which outlives the processes of a start."""

    path: Path | None = None

    def __init__(self, key: str) -> None:
        from torch.distributed import TCPStore  # type: ignore[attr-defined]

        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        self.key = key
        self.store = TCPStore(address, port, is_master=False, timeout=timedelta(seconds=PATIENCE))

    def tell(self, choice: Choice) -> None:
        self.store.set(self.key, json.dumps(choice))

    def wait(self) -> Choice:
        choice: Choice = json.loads(self.store.get(self.key))
        return choice


class _Note:
    """A file beside the runs."""

    def __init__(self, path: Path, recent: float | None) -> None:
        self.path: Path = path
        self.recent = recent
        self.began = time.time()

    def tell(self, choice: Choice) -> None:
        write_text(self.path, json.dumps(choice) + "\n")

    def wait(self) -> Choice:
        while time.time() < self.began + PATIENCE:
            try:
                fresh = self.recent is None or self.path.stat().st_mtime > self.began - self.recent
                if fresh:
                    choice: Choice = json.loads(self.path.read_text(encoding="utf-8"))
                    return choice
            except (OSError, ValueError):
                pass
            time.sleep(0.5)
        raise InputError(
            f"The first process of this job did not choose a run folder within {PATIENCE:.0f} s ({self.path}): all "
            "must see the same trainer.default_root_dir."
        )
