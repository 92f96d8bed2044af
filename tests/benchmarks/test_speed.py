"""The speed benchmark: each side of each work in its smoke mode, the clock, the harness and its tables."""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

HERE = Path(__file__).resolve().parents[2] / "benchmarks" / "speed"


def load(name: str) -> ModuleType:
    """A script of the benchmark, which imports its neighbors as scripts do."""
    sys.path.insert(0, str(HERE))
    try:
        spec = importlib.util.spec_from_file_location(f"speed_{name.strip('_')}", HERE / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(HERE))


harness = load("__main__")
sys.path.insert(0, str(HERE))
clock, operations, peak, works, table = (
    importlib.import_module(name) for name in ("clock", "operations", "peak", "works", "table")
)
sys.path.remove(str(HERE))


@pytest.fixture(autouse=True)
def _neighbors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs import their neighbors, and Lightning's command line finds the clock by name."""
    monkeypatch.setattr(sys, "path", [str(HERE), *sys.path])


def in_process(program: str, spec: dict[str, Any], log: Path) -> dict[str, Any]:
    """A run in this process, where torch is already imported."""
    with tempfile.TemporaryDirectory() as folder:
        found = load(program).run({**spec, "folder": folder})
    return {"value": 1.0, **found}


def smoke(data: Path, encoder: Path, *works: str, runner: Any = in_process) -> dict[str, Any]:
    """Results by side; all sides must have done the same work."""
    assert harness.main([str(data), "--works", *works, "--smoke", "--repeats=1", f"--model={encoder}"], runner) == 0
    found = json.loads(Path("speed.json").read_text())
    return {name.split()[-2]: result for name, result in found.items()}


# ---------------------------------------------------------------------- the works


@pytest.mark.parametrize(("work", "tokens"), [("mlm-small", 128), ("clm", 128)])
def test_blocks_are_the_same_on_both_sides(work: str, tokens: int, data: Path, encoder: Path) -> None:
    found = smoke(data, encoder, work)
    assert found.keys() == {"ours", "trainer"}
    for result in found.values():
        assert result["tokens_step"] == tokens
        assert result["steps"] == 2
        assert result["padding"] == 0
        assert result["teraflops"] > 0
        assert result["torch"] == torch.__version__


def test_where_the_time_goes(data: Path, encoder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        harness.main(
            [str(data), "--works=mlm-small", "--smoke", "--profile", "--repeats=1", f"--model={encoder}"], in_process
        )
        == 0
    )
    for result in json.loads(Path("speed.json").read_text()).values():
        kinds = result["operations"]
        assert kinds["products of matrices"] > 0
        assert kinds["optimizer, clipping"] > 0
        assert sum(kinds.values()) < 1.05 * result["ms_step"] * max(1, torch.get_num_threads())
    assert "| MLM, BERT 4x256, blocks of 128, ms | ours | Trainer |" in capsys.readouterr().out


def test_kinds_of_operations() -> None:
    kinds = {
        "aten::addmm": "products of matrices",
        "aten::_softmax": "attention",
        "aten::_log_softmax_backward_data": "loss",
        "LogSoftmaxBackward0": "loss",
        "aten::expand": "others",
        "aten::scatter_": "loss",
        "aten::_fused_adamw_": "optimizer, clipping",
        "aten::random_": "dropout",
        "aten::copy_": "copies, casts, zeros",
    }
    assert {name: operations.kind_of(name) for name in kinds} == kinds


def test_packs_against_padding(data: Path, encoder: Path) -> None:
    found = smoke(data, encoder, "mlm-mixed")
    assert found["ours"]["padding"] == 0
    assert found["padded"]["padding"] > 0.2
    assert found["padded"]["samples_step"] == found["dynamic"]["samples_step"] == 4
    assert found["ours"]["samples_step"] > 4  # documents, in as many places as four padded ones take
    assert found["ours"]["tokens_step"] > found["padded"]["tokens_step"]


def test_rows_are_padded_in_four_ways(data: Path, encoder: Path) -> None:
    found = smoke(data, encoder, "finetune-minilm")
    assert found.keys() == {"ours", "padded", "dynamic", "grouped"}
    assert all(result["samples_step"] == 4 for result in found.values())
    assert found["padded"]["padding"] > found["dynamic"]["padding"] > found["grouped"]["padding"]


def test_evaluating_is_measured(data: Path, encoder: Path) -> None:
    found = smoke(data, encoder, "eval-mlm")
    assert found.keys() == {"ours", "logits", "argmax"}
    assert all(result["value"] >= 0 and result["before"] > 0 for result in found.values())
    assert found["ours"]["metrics"]["val/accuracy"] >= 0


def test_answers_are_evaluated(data: Path, encoder: Path) -> None:
    found = smoke(data, encoder, "eval-squad")
    assert {"val/f1", "eval_f1"} <= {*found["ours"]["metrics"], *found["trainer"]["metrics"]}


def test_series_of_points(data: Path, encoder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = smoke(data, encoder, "scaling-length", "scaling-workers")
    assert found["ours"]["points"].keys() == {"0", "1"}
    printed = capsys.readouterr().out
    assert "| step against length, 4,096 tokens a step | ms a step |" in printed
    assert "\n| 16 | " in printed


def test_the_plain_loop_does_the_same_work(data: Path, encoder: Path) -> None:
    side = works.Side("a loop", 1.0, "loop")
    sides = {**works.WORKS["clm"].sides, "trainer": side}
    changed = {**vars(works.WORKS["clm"]), "sides": sides}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(harness.WORKS, "clm", works.Work(**changed))
        found = smoke(data, encoder, "clm")
    assert found["trainer"]["parameters"] == found["ours"]["parameters"]


@pytest.mark.slow
@pytest.mark.parametrize("work", ["defaults", "scaling-processes"])
def test_runs_are_processes(work: str, data: Path, encoder: Path) -> None:
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(encoder)
    config.max_position_embeddings = 512
    AutoModel.from_config(config).save_pretrained(encoder)
    found = smoke(data, encoder, work, runner=harness.as_process)
    assert all(result["process_seconds"] >= 1 for result in found.values())
    if work == "defaults":
        assert all(0 <= result["score"] <= 1 for result in found.values())
    else:
        assert found["ours"]["value"] > 0


# ---------------------------------------------------------------------- the clock


def test_the_clock_counts_true_tokens_after_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import BertConfig, BertForMaskedLM

    now = 0.0
    monkeypatch.setattr(clock.time, "perf_counter", lambda: now)
    network = BertForMaskedLM(
        BertConfig(vocab_size=64, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    )
    mask = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0]])
    timer = clock.Clock(warmup=2, steps=3, seconds=99.0)

    def train() -> None:
        nonlocal now
        for step in range(9):
            now += 10.0 if step < 2 else 2.0
            timer.after(network, {"input_ids": mask, "attention_mask": mask}, torch.tensor(1), 4.0 - step)

    with pytest.raises(clock.Measured) as caught:
        train()
    found = caught.value.figures
    assert found["value"] == 3 * 4 / 6.0
    assert found["ms_step"] == 2000
    assert found["padding"] == 0.5
    assert found["first_loss"] == 4.0
    assert timer.done == 5


def test_the_peak_is_above_the_start() -> None:
    before = torch.ones(30_000_000)
    measured = peak.Peak()
    more = torch.ones(10_000_000)
    del more
    found = measured.figures()
    assert found["before"] > before.numel() * 4
    assert 30e6 < found["value"] < 80e6


# ---------------------------------------------------------------------- the harness and its tables


def result(value: float, **more: Any) -> dict[str, Any]:
    same = {"parameters": 10, "tokens_step": 128.0, "samples_step": 4.0, "first_loss": 10.0, "padding": 0.25}
    return {"value": value, **same, **more}


def test_sides_take_turns_and_what_is_done_is_kept(
    data: Path, encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = []

    def runner(program: str, spec: dict[str, Any], log: Path) -> dict[str, Any] | None:
        ran.append((program, spec["seed"]))
        if ran[-1] == ("peer", 2):
            return None
        return result(300.0 + spec["seed"] if program == "ours" else 100.0)

    args = [str(data), "--works=mlm-base", "--repeats=3", f"--model={encoder}", "--threads=2"]
    assert harness.main(args, runner) == 1
    assert ran == [("ours", 1), ("peer", 1), ("peer", 2), ("ours", 2), ("ours", 3), ("peer", 3)]
    printed = capsys.readouterr().out
    assert "|  | Trainer | 100 tokens/s | 100 to 100 | 3.02x | 1.50x | 25.0% |  | 2 |" in printed
    assert "Failed: mlm-base" in printed
    ran.clear()
    assert harness.main(args, runner) == 1
    assert ran == [("peer", 2)]
    ran.clear()
    capsys.readouterr()
    harness.main([*args, "--steps=5", "--table"], runner)  # another number of steps is another run
    assert not ran
    assert "| MLM, BERT-base, blocks of 128 | all | not yet measured |" in capsys.readouterr().out


def test_other_work_is_not_compared_in_silence(data: Path, encoder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def runner(program: str, spec: dict[str, Any], log: Path) -> dict[str, Any]:
        return result(1.0) if program == "ours" else result(1.0, parameters=11, first_loss=12.0)

    assert harness.main([str(data), "--works=mlm-small", "--repeats=1", f"--model={encoder}"], runner) == 2
    printed = capsys.readouterr().out
    assert "Not equal: mlm-small trainer: parameters 11.000, ours 10.000" in printed
    assert "first_loss 12.000, ours 10.000" in printed


def test_ratios_point_the_right_way() -> None:
    def results_of(work: str, side: str) -> list[dict[str, Any]]:
        return [{"value": 10.0 if side == "ours" else 60.0, "score": 0.9, "date": "2026-01-01"}]

    for work, ratio in (("mlm-small", "0.17x"), ("defaults", "6.00x"), ("eval-squad", "0.17x")):
        lines = [line for line in table.compared(work, results_of) if line.startswith("|  |")]
        assert f"| {ratio} |" in lines[-1]
