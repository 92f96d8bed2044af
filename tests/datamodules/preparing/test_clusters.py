"""On a cluster comes out what comes out here. Slurm is played by scripts that run the jobs of an array in turn."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("datatrove")

from preparing_support import CHARACTERS, content, run, sentences  # type: ignore[import-not-found]

from pretune.datamodules import Cleaning, CorpusDataModule
from pretune.datamodules.preparing import slurm
from pretune.datamodules.preparing.executors import Executors
from pretune.datamodules.preparing.prepare import prepare
from pretune.errors import InputError

SBATCH = f"""#!{sys.executable}
import os, re, subprocess, sys
script = open(sys.argv[-1]).read()
open("submitted.txt", "a").write(script + "-" * 20)
if "--partition=nowhere" in script:
    sys.exit("sbatch: error: invalid partition specified: nowhere")
last = int(re.search(r"--array=0-(\\d+)", script)[1])
for number in range(last + 1):
    environment = {{**os.environ, "SLURM_ARRAY_TASK_ID": str(number), "SLURM_NODELIST": "here", "RUN_OFFSET": "0"}}
    with open("job.log", "a") as log:
        subprocess.run(["bash", sys.argv[-1]], env=environment, stdout=log, stderr=log)
print("Submitted batch job 7")
"""
SRUN = """#!/bin/bash
while [[ $1 == -* ]]; do [[ $1 == -n ]] && shift; shift; done
exec "$@"
"""
OPTIONS = {"partition": "cpu", "time": "1:00:00", "mem_per_cpu_gb": 1, "account": "lab", "setup": "export PREPARING=1"}


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    texts = sentences(120)
    (tmp_path / "a.txt").write_text("\n".join([*texts, *texts[:20]]))
    return {"train_files": "a.txt", "tokenizer": CHARACTERS, "validation_fraction": 0.2}


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = {
        "sbatch": SBATCH,
        "srun": SRUN,
        "squeue": "#!/bin/bash\n",
        "scancel": "#!/bin/bash\n",
        "scontrol": "#!/bin/bash\necho here\n",
    }
    (tmp_path / "bin").mkdir()
    for name, text in commands.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setattr(slurm, "SECONDS", 0.1)


def on_slurm(options: dict[str, Any], **changes: Any) -> Any:
    executors = Executors("slurm", 2, -1, slurm={**OPTIONS, **changes})
    return prepare(CorpusDataModule(**options), "out", executors, 2_000)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_slurm(options: dict[str, Any]) -> None:
    options["cleaning"] = Cleaning(exact_duplicates=True)
    run("here", **options)
    on_slurm(options)
    assert content("out") == content("here")
    script = Path("submitted.txt").read_text()
    for line in ("--partition=cpu", "--time=1:00:00", "--mem-per-cpu=1G", "--account=lab", "--array=0-1"):
        assert f"#SBATCH {line}\n" in script
    assert "export PREPARING=1; export PATH=" in script
    assert "--qos" not in script
    assert "merge_stats" not in script


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_mistake_is_told_from_where_it_was_made(options: dict[str, Any], tokenizer_folder: Path) -> None:
    Path("a.jsonl").write_text('{"text": "a"}\n{"text": \n')
    with pytest.raises(InputError, match=r"a.jsonl:2: not JSON at column"):
        on_slurm({**options, "train_files": "a.jsonl", "tokenizer": str(tokenizer_folder)})


@pytest.mark.usefixtures("cluster")
def test_a_job_that_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"Slurm does not take the job \(sbatch ended with 1\)"):
        on_slurm(options, partition="nowhere")


def test_what_is_missing_is_said_first(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match=r"--executor slurm: there is no command sbatch here"):
        on_slurm(options)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r'--executor ray needs the package ray: pip install "ray\[default\]"'):
        prepare(CorpusDataModule(**options), "out", Executors("ray"), 2_000)
    assert not Path("out").exists()


@pytest.mark.slow
def test_ray(options: dict[str, Any]) -> None:
    ray = pytest.importorskip("ray")
    options["cleaning"] = Cleaning(exact_duplicates=True)
    run("here", **options)
    try:
        prepare(CorpusDataModule(**options), "out", Executors("ray", 2, 1, ray={"mem_per_cpu_gb": 1}), 2_000)
    finally:
        ray.shutdown()
    assert content("out") == content("here")
