"""Tasks on a Ray cluster."""

from __future__ import annotations

from typing import Any

from datatrove.executor import RayPipelineExecutor
from datatrove.pipeline.base import PipelineStep

from ...errors import InputError, first_line
from .executors import python_path


def check() -> None:
    """Raise an `InputError` where ray is missing."""
    try:
        import ray  # noqa: F401
    except ImportError as error:
        raise InputError('--executor ray needs the package ray: pip install "ray[default]".') from error


class RayExecutor(RayPipelineExecutor):
    """Connects to a cluster, or starts one on this machine, and runs the tasks there.

    Args:
        pipeline: what each task does.
        tasks: how many there are.
        workers: at a time; -1: all.
        logging_dir: for logs and completion markers.
        address: of the cluster; None: $RAY_ADDRESS, or one of this machine.
        mem_per_cpu_gb: memory of a task.
    """

    def __init__(
        self,
        pipeline: list[PipelineStep],
        tasks: int,
        workers: int,
        logging_dir: str,
        address: str | None = None,
        mem_per_cpu_gb: int = 4,
    ) -> None:
        super().__init__(pipeline, tasks, workers, logging_dir=logging_dir, mem_per_cpu_gb=mem_per_cpu_gb)
        self.address = address

    def run(self) -> None:
        """Run all tasks that are not done.

        Raises:
            InputError: if there is no such cluster.
        """
        import ray

        if not ray.is_initialized():
            environment: dict[str, Any] = {"env_vars": {"PYTHONPATH": python_path()}}
            try:
                ray.init(self.address, runtime_env=environment, log_to_driver=False, logging_level="error")
            except Exception as error:  # of many kinds
                raise InputError(
                    f"--ray.address: no cluster can be reached: {first_line(error).rstrip('.')}."
                ) from error
        super().run()
