"""MLflow, in a file and on a server on the loopback interface, read back by its own client."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(
    find_spec("mlflow") is None, reason="MLflow is not installed (pip install mlflow-skinny sqlalchemy alembic)"
)

ARTIFACTS = {"config.yaml", "summary.json", "curves.png", "report.html", "export"}


def client(uri: str | None = None) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(uri or f"sqlite:///{Path('runs/mlflow.db').absolute()}")


def runs_of(store: Any, project: str = "pretune") -> list[Any]:
    return list(store.search_runs([store.get_experiment_by_name(project).experiment_id]))


def names(store: Any, run: Any, folder: str | None = None) -> set[str]:
    return {file.path for file in store.list_artifacts(run.info.run_id, folder)}


def test_one_line_of_yaml(tracked: Callable[..., Any]) -> None:
    """The run folder holds all that it holds without a tracker; the tracker holds its numbers, options and files."""
    cli = tracked("fit", "mlflow")
    (run,) = runs_of(store := client())
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "mine/version_0"
    assert run.data.params["trainer/max_steps"] == "4"
    history = store.get_metric_history(run.info.run_id, "train/loss")
    assert [point.step for point in history] == [0, 1, 2, 3]
    assert run.data.metrics["val/loss"] == pytest.approx(float(cli.trainer.callback_metrics["val/loss"]))
    assert names(store, run) == ARTIFACTS
    assert "export/model.safetensors" in names(store, run, "export")
    folder = Path("runs/mine/version_0")
    sent = Path(store.download_artifacts(run.info.run_id, "summary.json")).read_text()
    assert sent == (folder / "summary.json").read_text()
    assert (folder / "metrics.csv").is_file()
    assert list(folder.glob("events.*"))


def test_a_run_goes_on_where_it_was(tracked: Callable[..., Any]) -> None:
    """Resumed and tested, it is one run; the options that are changed are in the file of the configuration."""
    tracked("fit", "mlflow")
    tracked("fit", "mlflow", "--ckpt_path=last", "--trainer.max_steps=6")
    (run,) = runs_of(store := client())
    assert [point.step for point in store.get_metric_history(run.info.run_id, "train/loss")] == [0, 1, 2, 3, 4, 5]
    assert run.data.params["trainer/max_steps"] == "4"
    test = Path("reviews.csv")
    tracked("test", "mlflow", f"--data.test_files={test}")
    (run,) = runs_of(store)
    assert "test/accuracy" in run.data.metrics
    sent = json.loads(Path(store.download_artifacts(run.info.run_id, "summary.json")).read_text())
    assert sent["test"]["test/accuracy"] == run.data.metrics["test/accuracy"]
    assert run.info.status == "FINISHED"


def test_the_large_one_can_be_left_out(tracked: Callable[..., Any]) -> None:
    tracked("fit", "{name: mlflow, project: films, run_name: first, export: false, tags: {team: us}}")
    (run,) = runs_of(store := client(), "films")
    assert names(store, run) == ARTIFACTS - {"export"}
    assert run.info.run_name == "first"
    assert run.data.tags["team"] == "us"


def test_a_store_of_files(tracked: Callable[..., Any]) -> None:
    tracked("fit", "{name: mlflow, tracking_uri: mlruns}")
    store = client(f"file:{Path('mlruns').absolute()}")
    (run,) = runs_of(store)
    assert names(store, run) == ARTIFACTS


def test_seeds_are_a_run_each_in_one_group(tracked: Callable[..., Any]) -> None:
    tracked("fit", "mlflow", "--seeds=1,2")
    runs = runs_of(client())
    assert sorted(run.info.run_name for run in runs) == ["mine/seed_1/version_0", "mine/seed_2/version_0"]
    assert {run.data.tags["group"] for run in runs} == {"mine"}


def test_trials_are_a_run_each_in_one_group(tracked: Callable[..., Any]) -> None:
    pytest.importorskip("optuna")
    tracked("tune", "mlflow", "--trials=2", "--range_test=true", "--trainer.max_steps=4")
    runs = runs_of(client())
    assert sorted(run.info.run_name for run in runs) == [f"mine/tune/trial_{i}/version_0" for i in range(2)]
    assert {run.data.tags["group"] for run in runs} == {"mine/tune"}


def test_a_failed_run_is_one_there(tracked: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(".")
    callback = Path("breaking.py")
    callback.write_text(
        "from lightning.pytorch import Callback\n"
        "class Breaking(Callback):\n"
        "    def on_train_batch_end(self, *args):\n"
        "        raise ValueError('broken on purpose')\n"
    )
    with pytest.raises(ValueError, match="on purpose"):
        tracked("fit", "mlflow", "--trainer.callbacks+=breaking.Breaking")
    (run,) = runs_of(client())
    assert run.info.status == "FAILED"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A server of MLflow: PRETUNE_MLFLOW is its command, which mlflow-skinny has not."""
    command = os.environ.get("PRETUNE_MLFLOW") or shutil.which("mlflow")
    if command is None:
        pytest.skip("there is no command mlflow; PRETUNE_MLFLOW names one")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    store = f"sqlite:///{tmp_path / 'server.db'}"
    where = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    artifacts = ["--artifacts-destination", str(tmp_path / "server")]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    process = subprocess.Popen(
        [command, "server", "--backend-store-uri", store, *artifacts, *where],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, start_new_session=True,
    )  # fmt: skip
    try:
        for _ in range(600):
            if process.poll() is not None:
                pytest.skip("this package of MLflow has no server (mlflow-skinny)")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def test_a_server(tracked: Callable[..., Any], server: tuple[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The address comes from the environment, as MLflow's own users have it."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server[0])
    tracked("fit", "mlflow")
    (run,) = runs_of(store := client(server[0]))
    assert names(store, run) == ARTIFACTS
    assert run.data.params["model/class_path"].endswith("TextClassification")
    kept = json.loads(Path("runs/mine/version_0/trackers.json").read_text())["mlflow"]
    assert kept["id"] == run.info.run_id
    assert kept["url"].startswith(server[0])


def test_a_server_that_dies_stops_no_training(
    tracked: Callable[..., Any],
    server: tuple[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.syspath_prepend(".")
    Path("killing.py").write_text(
        "import os, signal\n"
        "from lightning.pytorch import Callback\n"
        "class Killing(Callback):\n"
        "    def on_train_batch_end(self, trainer, *args):\n"
        "        if trainer.global_step == 2:\n"
        f"            os.killpg({server[1].pid}, signal.SIGKILL)\n"
    )
    cli = tracked("fit", f"{{name: mlflow, tracking_uri: '{server[0]}'}}", "--trainer.callbacks+=killing.Killing")
    assert cli.trainer.global_step == 4
    printed = capsys.readouterr().err
    assert printed.count("could not be sent") >= 3
    assert "nothing more is sent" in printed
    assert "MLflow is INCOMPLETE" in printed
    assert json.loads(Path("runs/mine/version_0/trackers.json").read_text())["mlflow"]["not_sent"] >= 3
    assert (Path("runs/mine/version_0") / "export" / "model.safetensors").is_file()


def test_a_server_that_is_not_there(fails: Callable[..., str], mine: Path) -> None:
    """Told before data are read, and no run folder is left."""
    Path("reviews.csv").write_text("nothing\n")
    message = fails("fit", "--config", mine, "--logger", "{name: mlflow, tracking_uri: 'http://127.0.0.1:9'}")
    assert "no server answers at http://127.0.0.1:9" in message
    assert "offline: true" in message
    assert not Path("runs").exists()
