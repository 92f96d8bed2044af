"""The Slurm job that a command runs in, as its environment tells."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class SlurmJob:
    """A batch job.

    Args:
        id: as `scontrol` takes it, `4711` or `4711_3` for a task of an array.
        step: what tells this start of the command from others of the job.
        restarts: how often the job was requeued.
        ends: when its time is over, in seconds since the epoch; None where Slurm does not say.
    """

    id: str
    step: str
    restarts: int
    ends: float | None

    @classmethod
    def current(cls) -> SlurmJob | None:
        """Return the job of this process; None outside Slurm, and in an interactive one, which nothing starts again."""
        environment = os.environ
        job = environment.get("SLURM_ARRAY_JOB_ID") or environment.get("SLURM_JOB_ID")
        if not job or environment.get("SLURM_JOB_NAME") in ("bash", "interactive"):
            return None
        task = environment.get("SLURM_ARRAY_TASK_ID") if "SLURM_ARRAY_JOB_ID" in environment else None
        end = environment.get("SLURM_JOB_END_TIME", "")
        restarts = environment.get("SLURM_RESTART_COUNT", "")
        count = int(restarts) if restarts.isdigit() else 0
        step = f"{environment.get('SLURM_STEP_ID', '0')}.{count}"
        return cls(f"{job}_{task}" if task else job, step, count, float(end) if end.isdigit() else None)

    def requeue(self) -> str | None:
        """Have Slurm start the job again, from its beginning.

        Returns:
            None, or why Slurm would not.
        """
        if not re.fullmatch(r"[0-9_]+", self.id):
            return f"{self.id!r} is no job"
        try:
            done = subprocess.run(["scontrol", "requeue", self.id], capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        return None if done.returncode == 0 else done.stderr.strip() or f"scontrol ended with {done.returncode}"
