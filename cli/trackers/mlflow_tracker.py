"""MLflow, on a server or in files beside the runs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import MLFlowLogger

from ...errors import InputError
from .tolerant import Tolerant
from .tracker import Place, Tracker, why_unreachable

RETRIES = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
"""MLflow would try for minutes, and training would wait."""


class RunMLFlowLogger(Tolerant, MLFlowLogger):  # type: ignore[misc]
    """Lightning's logger of MLflow; its failures stop no training."""

    title = "MLflow"


class MLflowTracker(Tracker):
    """MLflow: on the server of `tracking_uri` or MLFLOW_TRACKING_URI, else in `mlflow.db` in the folder of all runs."""

    title = "MLflow"
    module, package = "mlflow", "mlflow"
    offline_way = "logger: {name: mlflow, offline: true} writes into mlflow.db in the folder of all runs"
    reserved = ("experiment_name", "run_id", "save_dir")

    def __init__(self, choice: Any) -> None:
        super().__init__(choice)
        for name, value in RETRIES.items():
            os.environ.setdefault(name, value)
        if choice.offline and choice.options.get("tracking_uri"):
            raise InputError("logger: offline and tracking_uri exclude each other; one of them would work.")
        self.uri = "" if choice.offline else self._uri()
        if not self.uri and find_spec("sqlalchemy") is None:
            raise InputError(
                "logger: mlflow writes into an SQLite file, for which the package sqlalchemy is missing: "
                'pip install "pretune[mlflow]", or tracking_uri, would work.'
            )

    def _uri(self) -> str:
        uri = str(self.choice.options.get("tracking_uri") or os.environ.get("MLFLOW_TRACKING_URI") or "")
        if uri and "://" not in uri and not uri.startswith(("file:", "databricks", "uc:")):
            uri = f"file:{os.path.abspath(uri)}"
        if uri.startswith("file:"):  # a store of files is asked for, which MLflow 3 refuses otherwise
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        return uri

    def takers(self) -> list[Callable[..., Any]]:
        """Return Lightning's logger."""
        return [MLFlowLogger.__init__]

    def check(self) -> None:
        """Raise an InputError where no server answers."""
        if self.uri.startswith("http") and (why := why_unreachable(self.uri)):
            raise self.refuse(why)

    def make(self, place: Place) -> Any:
        """Return Lightning's logger for a run."""
        for name in ("mlflow.store.db.utils", "alembic"):  # what they tell of their tables is of no use to anybody
            logging.getLogger(name).setLevel(logging.WARNING)
        logging.getLogger("lightning.pytorch.loggers.mlflow").setLevel(logging.ERROR)  # of a new experiment
        options = dict(self.choice.options)
        if not self.uri:
            runs = place.runs.absolute()
            self.uri = f"sqlite:///{runs / 'mlflow.db'}"
            options.setdefault("artifact_location", (runs / "mlartifacts" / self.project).as_uri())
        group = self.choice.group or place.group
        tags = {**({"group": group} if group else {}), **(options.pop("tags", None) or {})}
        kept = place.kept.get("id") if place.kept.get("tracking_uri") == self.uri else None
        self.logger = RunMLFlowLogger(
            experiment_name=self.choice.project or os.environ.get("MLFLOW_EXPERIMENT_NAME") or self.project,
            run_name=self.choice.run_name or place.name,
            run_id=kept,
            tags=tags,
            **{**options, "tracking_uri": self.uri},
        )
        return self.logger

    def open(self) -> dict[str, Any]:
        """Begin the run, or go on with it."""
        client, run = self.logger.experiment, self.logger.run_id
        client.update_run(run, status="RUNNING")
        experiment = self.logger.experiment_id
        where = f"{self.uri.rstrip('/')}/#/experiments/{experiment}/runs/{run}"
        return {"id": run, "url": where if self.uri.startswith("http") else None, "tracking_uri": self.uri}

    def send_options(self, options: dict[str, Any]) -> None:
        """Send the options that the run does not have yet: MLflow refuses to change one."""
        from lightning.fabric.utilities.logger import _flatten_dict

        flat = _flatten_dict(options)

        def send() -> None:
            known = self.logger.experiment.get_run(self.logger.run_id).data.params
            MLFlowLogger.log_hyperparams(self.logger, {key: flat[key] for key in flat if key not in known})

        self.logger.attempt("options", send)

    def send(self, files: dict[str, Path]) -> None:
        """Send files to the run's own folder of artifacts."""
        client, run = self.logger.experiment, self.logger.run_id
        for name, path in files.items():
            if path.is_dir():
                client.log_artifacts(run, str(path), name)
            else:
                client.log_artifact(run, str(path))
