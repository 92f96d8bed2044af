"""`prepare` on a real Slurm of one node, this machine, while the test lasts (Debian: apt install slurm-wlm)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("datatrove")

from preparing_support import CHARACTERS, content, run, sentences  # type: ignore[import-not-found]

from pretune.datamodules import Cleaning, CorpusDataModule
from pretune.datamodules.preparing import slurm
from pretune.datamodules.preparing.executors import Executors
from pretune.datamodules.preparing.prepare import prepare
from pretune.errors import InputError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("slurmctld") is None, reason="Slurm is not installed"),
    pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() != 0, reason="Slurm's daemons need root"),
]
CONFIGURATION = """\
ClusterName=one
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller}
SlurmdPort={daemon}
AuthType=auth/none
CredType=cred/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "slurm"
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    text = CONFIGURATION.format(
        host=socket.gethostname().partition(".")[0],
        folder=folder,
        controller=free_port(),
        daemon=free_port(),
        cpus=os.cpu_count(),
        memory=psutil.virtual_memory().total // 2 >> 20,
    )
    (folder / "slurm.conf").write_text(text)
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    monkeypatch.setattr(slurm, "SECONDS", 1.0)
    daemons = []
    try:
        for name in ("slurmctld", "slurmd"):
            with (folder / f"{name}.out").open("w") as out:
                daemons.append(subprocess.Popen([name, "-D"], stdout=out, stderr=out))
        for _ in range(60):
            seen = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True)
            if seen.stdout.strip() == "idle":
                break
            time.sleep(1)
        else:
            said = "\n".join(path.read_text() for path in sorted(folder.glob("*.out")))
            pytest.fail(said + seen.stdout + seen.stderr)
        yield folder
    finally:
        for _ in range(60):  # else the steps of jobs outlive their daemon
            if not subprocess.run(["squeue", "-h"], capture_output=True, text=True).stdout.strip():
                break
            time.sleep(1)
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(30)


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    texts = sentences(120)
    (tmp_path / "a.txt").write_text("\n".join([*texts, *texts[:20]]))
    cleaning = Cleaning(exact_duplicates=True)
    return {"train_files": "a.txt", "tokenizer": CHARACTERS, "validation_fraction": 0.2, "cleaning": cleaning}


def on_slurm(options: dict[str, Any], partition: str = "cpu") -> Any:
    how = {"partition": partition, "time": "0:20:00", "mem_per_cpu_gb": 1}
    return prepare(CorpusDataModule(**options), "out", Executors("slurm", 2, -1, slurm=how), 2_000)


@pytest.mark.usefixtures("cluster")
def test_the_same_as_here(options: dict[str, Any]) -> None:
    run("here", **options)
    with pytest.raises(InputError, match=r"Slurm does not take the job"):
        on_slurm(options, partition="nowhere")
    on_slurm(options)
    assert content("out") == content("here")


@pytest.mark.usefixtures("cluster")
def test_a_mistake_comes_back(options: dict[str, Any], tokenizer_folder: Path) -> None:
    Path("a.jsonl").write_text('{"text": "a"}\n{"text": \n')
    with pytest.raises(InputError, match=r"a.jsonl:2: not JSON at column"):
        on_slurm({**options, "train_files": "a.jsonl", "tokenizer": str(tokenizer_folder)})
    queue = subprocess.run(["squeue", "-h"], capture_output=True, text=True).stdout.strip()
    assert not queue
