"""Ways from hidden states to the loss over a vocabulary, timed forward and backward: `python head.py SPEC.json`."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "speed"), str(Path(__file__).resolve().parents[1])]
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
import turn  # noqa: E402
from torch import Tensor  # noqa: E402

from pretune.modules.losses.vocabulary import vocabulary_loss  # noqa: E402

SIZES = {"BERT-base, 5,120 targets x 30,528": (5120, 768, 30528), "GPT-2, 16,384 x 50,304": (16384, 768, 50304)}
SMOKE = {"tiny": (64, 16, 128)}
REPEATS = 8
Way = Callable[[Tensor, Tensor, Tensor], Tensor]


def ways() -> dict[str, Way]:
    """Each takes hidden states, the table of words and the targets to the sum of the losses."""
    found: dict[str, Way] = {
        "plain": lambda x, w, t: vocabulary_loss(F.linear(x, w), t, plain=True)[0],
        "in pieces": lambda x, w, t: vocabulary_loss(F.linear(x, w), t)[0],
        "in pieces, compiled": lambda x, w, t: vocabulary_loss(F.linear(x, w), t, compiled=True)[0],
        "plain, all compiled": torch.compile(lambda x, w, t: F.cross_entropy(F.linear(x, w), t, reduction="sum")),
    }
    if hasattr(F, "linear_cross_entropy"):
        found["F.linear_cross_entropy"] = lambda x, w, t: F.linear_cross_entropy(x, w, t, reduction="sum")
    return found


def timed(way: Way, sizes: tuple[int, int, int], device: torch.device) -> dict[str, float]:
    """Milliseconds (median) and the peak of memory in GB of a forward and a backward pass."""
    torch.manual_seed(0)
    targets, width, words = sizes
    states = torch.randn(targets, width, device=device).bfloat16().requires_grad_()
    table = torch.nn.Parameter(torch.randn(words, width, device=device) * 0.02)
    right = torch.randint(words, (targets,), device=device)
    spans = []
    for repeat in range(REPEATS + 3):
        if device.type == "cuda":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
        began = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16):
            loss = way(states, table, right)
        loss.backward()
        if device.type == "cuda":
            torch.cuda.synchronize()
        if repeat >= 3:
            spans.append(time.perf_counter() - began)
        states.grad = table.grad = None
    gigabytes = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else 0.0
    return {"ms": 1000 * statistics.median(spans), "gigabytes": gigabytes, "loss": float(loss.detach()) / targets}


def run(spec: dict[str, Any]) -> dict[str, Any]:
    """Every way at every size; a way that fails says how."""
    device, points = torch.device(spec["device"]), {}
    for size, sizes in (SMOKE if spec["smoke"] else SIZES).items():
        for name, way in ways().items():
            try:
                points[f"{size}: {name}"] = timed(way, sizes, device)
            except (RuntimeError, NotImplementedError) as error:
                points[f"{size}: {name}"] = {"error": str(error).splitlines()[0][:200]}
            Path(spec["result"]).write_text(json.dumps({"points": points}))
    return {"points": points}


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    turn.wait_for_turn(given)
    Path(given["result"]).write_text(json.dumps(run(given)))
