"""The GPU's benchmark on the CPU: every side of every measure in tiny sizes, the plan of a call, and the table."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
PLACES = [str(BENCHMARKS / "gpu"), str(BENCHMARKS / "speed"), str(BENCHMARKS)]


def load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs import their neighbours by name, and so does Lightning's command line."""
    monkeypatch.setattr(sys, "path", [*PLACES, *sys.path])


@pytest.fixture
def harness() -> Any:
    return load(BENCHMARKS / "gpu" / "__main__.py", "gpu_harness")


@pytest.fixture
def packed(data: Path, encoder: Path) -> Path:
    """As `pack.py` leaves it, without wheels."""
    (data / "model").mkdir()
    for path in encoder.iterdir():
        if path.suffix != ".safetensors":
            (data / "model" / path.name).write_bytes(path.read_bytes())
    return data


def in_process(run: Any, seconds: float) -> dict[str, Any]:
    """A run in this process, where torch is already imported."""
    folder = Path(f"in-process-{run.name.replace(' ', '-')}").resolve()
    folder.mkdir()
    program = load(run.program, f"gpu_program_{run.program.stem}")
    return {"value": 1.0, **program.run({**run.spec, "folder": str(folder), "result": str(folder / "result.json")})}


def names() -> list[str]:
    sys.path[:0] = PLACES
    try:
        found = load(BENCHMARKS / "gpu" / "measures.py", "measures").MEASURES
    finally:
        del sys.path[:3]
    return [name for name in found if name not in ("correctness", "processes")]


# ---------------------------------------------------------------------- every measure


@pytest.mark.parametrize("name", names())
def test_every_side_of_a_measure(name: str, harness: Any, packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    assert harness.main([str(packed), "--smoke", "--only", name, "--output=out"], in_process) == 0
    results = json.loads(Path("out/gpu.json").read_text())
    measures = sys.modules["measures"]
    assert len(results) == len(measures.MEASURES[name].sides)
    for result in results.values():
        assert result["torch"] == torch.__version__
        if "windows" in result:
            assert len(result["windows"]) == 2
            assert result["value"] == pytest.approx(sum(result["windows"]) / 2, rel=0.01)
            assert result["teraflops"] > 0
    sides = {key.partition(" @ ")[0].split()[1]: result for key, result in results.items()}
    if measures.MEASURES[name].kind == "training" and not name.startswith(("finetune", "mixed", "modernbert")):
        assert len({round(result["tokens_step"]) for result in sides.values()}) == 1
        assert len({result["parameters"] for result in sides.values()}) == 1
    if name in ("mlm-128", "clm", "modernbert"):
        assert sides["ours-compiled"]["compilations"] == 0  # after the warm-up


@pytest.mark.slow
def test_two_processes_on_one_device(harness: Any, packed: Path) -> None:
    assert harness.main([str(packed), "--smoke", "--only", "processes", "--output=out"]) == 0


# ---------------------------------------------------------------------- a call


def test_a_call_goes_on_where_the_last_one_was_cut_off(
    harness: Any, packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def runner(run: Any, seconds: float) -> dict[str, Any] | str:
        ran.append(run.side)
        return "took more than 3 s" if run.side == "best" and len(ran) < 6 else {**RESULT, "value": 100.0 * len(ran)}

    args = [str(packed), "--smoke", "--only", "mlm-128", "--output=out"]
    assert harness.main(args, runner) == 1
    assert ran == ["ours", "ours-compiled", "best", "defaults", "loop"]
    assert "Not done: mlm-128 best (took more than 3 s)" in capsys.readouterr().out
    assert harness.main(args, runner) == 0
    assert ran[5:] == ["best"]
    printed = capsys.readouterr().out
    assert "|  | Trainer, bf16 | 400 | 10.0 | 25.0% | 2.0 | 4 | 0.5 | 1 | 0.50x | >= 2.50x |" in printed
    assert harness.main([*args, "--again", "--minutes=0.2"], runner) == 0  # no time is no failure
    assert len(ran) == 6
    assert "mlm-128 ours (no time left)" in capsys.readouterr().out


RESULT = {
    "ms_step": 10.0,
    "mfu": 0.25,
    "gigabytes": 2.0,
    "warmup_seconds": 4.12,
    "waits_step": 0.5,
    "compilations": 1,
    "date": "2026-01-02",
}


def test_other_versions_are_measured_anew(harness: Any) -> None:
    same_place = sys.modules.get("surroundings") or load(BENCHMARKS / "gpu" / "surroundings.py", "surroundings")
    here = {"gpu": "H100", "torch": "2.11.0", "transformers": "5.17.0", "lightning": "2.6.6"}
    assert same_place.same_place({**here, "value": 1.0}, here)
    assert not same_place.same_place({**here, "torch": "2.13.0"}, here)
    assert not same_place.same_place(None, here)


def test_without_a_gpu_it_says_so(harness: Any, packed: Path) -> None:
    with pytest.raises(SystemExit, match="no CUDA device"):
        harness.main([str(packed)])


def test_runs_are_processes_and_what_takes_too_long_is_ended(harness: Any, packed: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import json, pathlib, sys, time\n"
        "spec = json.loads(pathlib.Path(sys.argv[1]).read_text())\n"
        "print('began', flush=True)\n"
        "time.sleep(spec['sleep'])\n"
        "pathlib.Path(spec['result']).write_text(json.dumps({'value': 3}))\n"
        "sys.exit(spec['code'])\n"
    )
    found = []
    for sleep, code in ((0, 0), (30, 0), (0, 4)):
        spec = {"sleep": sleep, "code": code, "cache": str(tmp_path), "device": "cpu"}
        run = harness.Run("a", "b", spec, program, 2.0)
        run.start()
        found.append(run.finish(9.0))
        assert run.log() == b"began\n"
    assert found[0]["value"] == 3
    assert found[1:] == ["took more than 2 s", "ended with 4"]


# ---------------------------------------------------------------------- on a bare machine


def test_this_checkout_and_wheels_become_importable(tmp_path: Path) -> None:
    """In an interpreter that has neither: isolated, without site-packages."""
    wheels = tmp_path / "data" / "wheels"
    wheels.mkdir(parents=True)
    with zipfile.ZipFile(wheels / "tiny_thing-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_thing.py", "VALUE = 7\n")
        wheel.writestr("tiny_thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n")
        wheel.writestr(
            "tiny_thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("tiny_thing-1.0.dist-info/RECORD", "")
    code = (
        "import sys, subprocess, pathlib; sys.path.insert(0, sys.argv[1]); import surroundings; "
        "surroundings.prepare(pathlib.Path(sys.argv[2])); "
        "subprocess.run([sys.executable, '-c', 'import tiny_thing; print(tiny_thing.VALUE)'], check=True)"
    )
    around = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-c", code, str(BENCHMARKS / "gpu"), str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, env=around, check=True)
    assert done.stdout.split()[-1] == "7"
