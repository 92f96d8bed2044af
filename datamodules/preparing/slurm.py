"""Tasks as jobs of a Slurm cluster, which are waited for."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from typing import Any

from datatrove.executor import SlurmPipelineExecutor
from datatrove.pipeline.base import PipelineStep

from ...errors import InputError
from .executors import python_path

SECONDS = 5.0
"""Between two looks at what is done."""
GONE = 3
"""Looks at which the queue has no such job, until that is believed."""


def check() -> None:
    """Raise an `InputError` where no job can be given to Slurm."""
    if shutil.which("sbatch") is None:
        raise InputError(
            "--executor slurm: there is no command sbatch here. Give the command on a machine of the cluster from "
            "which jobs are started, or --executor local."
        )
    if "SLURM_ARRAY_TASK_ID" in os.environ:
        raise InputError("--executor slurm: this is itself a task of an array of jobs, which cannot start others.")


class SlurmExecutor(SlurmPipelineExecutor):
    """Starts an array of jobs, and waits until all of its tasks are done.

    Args:
        pipeline: what each task does.
        tasks: how many there are.
        workers: at a time; -1: all.
        logging_dir: for logs and completion markers.
        partition: of the cluster.
        time: limit of a task.
        mem_per_cpu_gb: memory of a task.
        qos: quality of service; None leaves it to the cluster.
        account: that is charged; None leaves it to the cluster.
        setup: shell command that comes before each task.
    """

    def __init__(
        self,
        pipeline: list[PipelineStep],
        tasks: int,
        workers: int,
        logging_dir: str,
        partition: str,
        time: str,
        mem_per_cpu_gb: int,
        qos: str | None = None,
        account: str | None = None,
        setup: str | None = None,
    ) -> None:
        own = (
            f"export PATH={shlex.quote(os.path.dirname(sys.executable))}:$PATH PYTHONPATH={shlex.quote(python_path())}"
        )
        super().__init__(
            pipeline,
            tasks,
            time,
            partition,
            mem_per_cpu_gb=mem_per_cpu_gb,
            workers=workers,
            qos=qos,
            job_name="pretune-prepare",
            env_command=f"{setup}; {own}" if setup else own,
            sbatch_args={"account": account} if account else {},
            logging_dir=logging_dir,
            mail_type="NONE",
        )

    def run(self) -> None:
        """In a job, run its tasks; elsewhere start the jobs, and wait.

        Raises:
            InputError: if Slurm takes no such job.
        """
        if "SLURM_ARRAY_TASK_ID" in os.environ:
            super().run()
            return
        try:
            self.launch_job()
        except subprocess.CalledProcessError as error:
            raise InputError(
                f"Slurm does not take the job (sbatch ended with {error.returncode}): see what it says above; "
                "--slurm.partition, --slurm.time, --slurm.memory_gb, --slurm.qos and --slurm.account are yours to give."
            ) from error
        try:
            self._wait()
        except BaseException:
            subprocess.run(["scancel", str(self.job_id)], capture_output=True)
            raise

    def launch_merge_stats(self) -> None:
        """Start no job that adds up statistics: each portion has its own."""

    def _wait(self) -> None:
        gone = 0
        while self.get_incomplete_ranks(skip_completed=True) and gone < GONE:
            time.sleep(SECONDS)
            gone = 0 if self._is_queued() else gone + 1

    def _is_queued(self) -> bool:
        asked: Any = subprocess.run(
            ["squeue", "-h", "-j", str(self.job_id), "-o", "%T"], capture_output=True, text=True
        )
        if asked.returncode == 0:
            return bool(asked.stdout.strip())
        return "Invalid job id" not in asked.stderr  # else the controller did not answer
