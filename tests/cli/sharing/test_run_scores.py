"""The scores on a model card: all that validation measured, and which loss is of calibrated probabilities."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pretune.cli.sharing.run_facts import RunFacts
from pretune.cli.sharing.run_scores import scores_of_run


def card(**more: Any) -> str:
    run = Path("runs/mine/version_0")
    run.mkdir(parents=True, exist_ok=True)
    kept = {"step": 8, "val/loss": 0.5, "val/accuracy": 0.75}
    test = {"test/loss": 0.4, "test/accuracy": 0.8, "test/f1": 0.79, "scored": {"checkpoint": "best.ckpt"}}
    (run / "summary.json").write_text(json.dumps({"fit": {"kept": kept}, "test": test, **more}))
    (run / "metrics.csv").write_text(
        "epoch,step,val/accuracy,val/f1,val/loss\n0,3,0.6,0.55,0.6\n1,7,0.75,0.7,0.5\n2,11,0.7,0.65,0.6\n"
    )
    return scores_of_run(RunFacts.of(run))


def test_all_that_the_kept_weights_scored_on_validation() -> None:
    lines = card().splitlines()
    assert "| `f1` | 0.7900 |" in next(line for line in lines if line.startswith("| `f1`"))
    assert next(line for line in lines if line.startswith("| `f1`")).endswith("| 0.7000 |")
    assert next(line for line in lines if line.startswith("| `accuracy`")).endswith("| 0.7500 |")


def test_a_calibrated_loss_is_told_from_others() -> None:
    assert "calibrated" not in card(calibration={"temperature": 1.0})
    assert (
        "The loss on the test is that of calibrated probabilities (temperature 0.316, fitted after training)"
        in card(calibration={"temperature": 0.316})
    )
