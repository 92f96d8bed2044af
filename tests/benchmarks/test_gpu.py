"""The GPU's benchmark on the CPU: every side of every measure in tiny sizes, the plan of a call, and the table."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest
import torch
from filelock import FileLock

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
def _neighbors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs import their neighbors by name, and so does Lightning's command line."""
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


@pytest.mark.parametrize(
    "name", [name if name == "clm" else pytest.param(name, marks=pytest.mark.slow) for name in names()]
)
def test_every_side_of_a_measure(name: str, harness: Any, packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = load(BENCHMARKS / "speed" / "turn.py", "turn")
    task = load(BENCHMARKS / "gpu" / "measures.py", "measures").MEASURES[name].settings.get("task")
    monkeypatch.setattr(torch, "compile", turn.cheap_compiler({"task": task}))
    assert harness.main([str(packed), "--smoke", "--only", name, "--output=out", "--work=work"], in_process) == 0
    results = json.loads(Path("out/smoke.json").read_text())
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
    assert harness.main([str(packed), "--smoke", "--only", "processes", "--output=out", "--work=work"]) == 0


# ---------------------------------------------------------------------- a call


def test_a_call_goes_on_where_the_last_one_was_cut_off(
    harness: Any, packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[str] = []

    def runner(run: Any, seconds: float) -> dict[str, Any] | str:
        ran.append(run.side)
        return "took more than 3 s" if run.side == "best" and len(ran) < 6 else {**RESULT, "value": 100.0 * len(ran)}

    args = [str(packed), "--smoke", "--only", "mlm-128", "--output=out", "--work=work"]
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


def test_a_trial_is_no_result(harness: Any, packed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a card both would have one name."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "H100")
    ran: list[bool] = []

    def runner(run: Any, seconds: float) -> dict[str, Any]:
        ran.append(run.spec["smoke"])
        return {**RESULT, "value": 5.0}

    args = [str(packed), "--only", "workers-blocks", "--output=out", "--work=work"]
    for more in (["--smoke"], [], []):
        assert harness.main([*args, *more], runner) == 0
    assert ran == [True] * 3 + [False] * 3
    assert len(json.loads(Path("out/gpu.json").read_text())) == 3


def test_what_was_cut_off_keeps_its_figures_and_is_tried_again(
    harness: Any, packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = [
        {"points": {"one": {"ms": 1.0}}, "unfinished": "took more than 3 s"},
        {"points": {"one": {"ms": 1.0}, "two": {"ms": 2.0}}},
        {"points": {}, "unfinished": "took more than 1 s"},
    ]
    found = []
    args = [str(packed), "--smoke", "--only", "head", "--output=out", "--work=work"]
    for again in ([], [], ["--again"]):
        failed = harness.main([*args, *again], lambda *_: {**RESULT, **results[len(found)]})
        (kept,) = json.loads(Path("out/smoke.json").read_text()).values()
        found.append((failed, len(kept["points"]), "(Not all of it: the run took" in capsys.readouterr().out))
    assert found == [(1, 1, True), (0, 2, False), (1, 2, False)]  # what is whole is not replaced by what is not


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: (data / "nothing", []), "nothing has no folder wikitext-2"),
        (lambda data: (data, ["--output=damaged"]), "smoke.json is damaged"),
        (lambda data: (data, ["--output=busy"]), "another call measures into busy"),
        (lambda data: (data, ["--minutes=nan"]), "2"),
    ],
)
def test_what_cannot_be_is_said(change: Any, message: str, harness: Any, packed: Path) -> None:
    Path("damaged").mkdir()
    Path("damaged/smoke.json").write_text('{"mlm-128 ours @ CPU": {"val')
    Path("busy").mkdir()
    data, more = change(packed)
    with FileLock("busy/lock"), pytest.raises(SystemExit, match=message):
        harness.main([str(data), "--smoke", "--only", "head", "--work=work", *more], lambda *_: RESULT)


def test_a_table_of_nothing(harness: Any) -> None:
    with pytest.raises(SystemExit, match=r"there is no nowhere/gpu.json"):
        harness.main(["--table", "--output=nowhere"])


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
    assert found[1] == "took more than 2 s"
    assert found[2]["unfinished"] == "ended with 4"


PARENT = """
import json, pathlib, subprocess, sys, time
spec = json.loads(pathlib.Path(sys.argv[1]).read_text())
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path(spec["child"]).write_text(str(child.pid))
pathlib.Path(spec["result"]).write_text(json.dumps({"value": 3}))
time.sleep(60 * spec["long"])
"""


def gone(process: int, seconds: float = 20) -> bool:
    """Whether a process ends soon; one that nobody has asked for its exit code has."""
    for _ in range(int(10 * seconds)):
        if not psutil.pid_exists(process) or psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("long", [False, True])
def test_what_a_run_has_started_ends_with_it(long: bool, harness: Any, tmp_path: Path) -> None:
    """It would keep the device; whether the run itself has ended or not."""
    (tmp_path / "program.py").write_text(PARENT)
    child = tmp_path / "child"
    spec = {"child": str(child), "long": long, "cache": str(tmp_path), "device": "cpu"}
    run = harness.Run("a", "b", spec, tmp_path / "program.py", 3.0)
    run.start()
    found = run.finish(9.0)
    assert found["value"] == 3
    assert found.get("unfinished") == ("took more than 3 s" if long else None)
    assert gone(int(child.read_text()))
    run.clear()
    assert not run.folder.exists()


def test_who_waits_for_nobody_ends(tmp_path: Path) -> None:
    turn = load(BENCHMARKS / "speed" / "turn.py", "turn")
    with pytest.raises(SystemExit, match="nobody is left"):
        turn.wait_for_go({"turn": str(tmp_path), "parent": -1})
    (tmp_path / "go").touch()
    turn.wait_for_go({"turn": str(tmp_path), "parent": -1})


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_call_that_is_ended_leaves_no_process(how: int, packed: Path, tmp_path: Path) -> None:
    """Neither the one that measures nor the one that waits; killed itself, it cannot end the first."""
    command = [
        sys.executable,
        str(BENCHMARKS / "gpu"),
        str(packed),
        "--smoke",
        "--only",
        "head",
        "estimate",
        "--work=work",
    ]
    around = {**os.environ, "TMPDIR": str(tmp_path)}
    call = subprocess.Popen([*command, "--output", str(tmp_path / "out")], env=around, stdout=subprocess.DEVNULL)
    for _ in range(900):
        if len(found := [p for p in psutil.Process(call.pid).children() if "spec.json" in " ".join(p.cmdline())]) == 2:
            break
        time.sleep(0.1)
    measuring, waiting = sorted(found, key=lambda process: process.pid)
    call.send_signal(how)
    call.wait(60)
    try:
        assert gone(waiting.pid, 90)
        assert how == signal.SIGKILL or gone(measuring.pid)
    finally:
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


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
