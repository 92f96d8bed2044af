"""How far `estimate` is off on a GPU: `python estimated.py SPEC.json`.

Memory is torch's own (`max_memory_allocated`), above nothing: a case is the first thing that the device sees. Time is
that by the measured share of the peak (MFU) of another size of the same kind.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "speed"), str(Path(__file__).resolve().parents[1])]
import turn  # noqa: E402
from clock import LONG, Measured  # noqa: E402
from estimating import CAUSAL, MASKED, Case, bert, gpt2, options_of  # noqa: E402

LLAMA = {
    "model_type": "llama",
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 32_000,
}
TINY = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
LORA = "--model.backbone.lora={r: 16, target_modules: all-linear}"
CASES = {
    "BERT-base, 64x128": Case("masked", MASKED, bert(768, 12), 64, 128),
    "BERT-large, 32x128": Case("masked", MASKED, bert(1024, 24), 32, 128),
    "GPT-2 124M, 8x1024": Case("causal", CAUSAL, {**gpt2(768, 12), "vocab_size": 50304, "n_positions": 1024}, 8, 1024),
    "GPT-2 medium, 4x1024": Case(
        "causal", CAUSAL, {**gpt2(1024, 24), "vocab_size": 50304, "n_positions": 1024}, 4, 1024
    ),
    "Llama 1B, LoRA, 4x1024": Case("llama", CAUSAL, LLAMA, 4, 1024, (LORA,)),
    "Llama 1B, checkpointing, 4x1024": Case(
        "llama", CAUSAL, LLAMA, 4, 1024, ("--model.backbone.gradient_checkpointing=true",)
    ),
}
SMOKE = {
    "bert": Case("masked", MASKED, {**bert(64, 1), "vocab_size": 4096}, 4, 32),
    "llama, LoRA": Case(
        "llama", CAUSAL, {**LLAMA, **TINY, "num_key_value_heads": 1, "vocab_size": 1024}, 4, 32, (LORA,)
    ),
}


def one(case: Case, spec: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Estimates a case, and trains it for some steps."""
    import torch

    from pretune.cli.costs.hardware import find
    from pretune.main import main

    gpu = spec["device"] == "cuda"
    options = [
        option for option in options_of(case, "bf16-mixed", folder) if not option.startswith("--trainer.accelerator")
    ]
    options += [f"--trainer.accelerator={'gpu' if gpu else 'cpu'}", "--trainer.devices=1", f"--name={case.kind}"]
    device = find(torch.cuda.get_device_name()) if gpu else None
    hardware = [f"--hardware={device.name}"] if device is not None else []
    estimate = main(["estimate", *options, *hardware])
    if gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    measuring = {"warmup": 5, "steps": 4 if spec["smoke"] else 12, "seconds": 0.0, "windows": 2}
    callback = {"class_path": "clock.LightningClock", "init_args": measuring}
    fixed = {"max_steps": LONG, "max_epochs": -1, "limit_val_batches": 0, "num_sanity_val_steps": 0}
    fixed |= {"enable_progress_bar": "false", "default_root_dir": str(folder / "runs"), "logger": "false"}
    own = [*(f"--trainer.{key}={value}" for key, value in fixed.items()), "--early_stopping=null"]
    try:
        main(["fit", *options, *own, f"--trainer.callbacks={json.dumps([callback])}"])
    except Measured as found:
        flops = estimate["flops_per_token"] * estimate["tokens_per_step"]
        return {
            "estimated": sum(estimate["memory"]["ddp"].values()),
            "allocated": torch.cuda.max_memory_allocated() if gpu else None,
            "flops": flops,
            "seconds": found.figures["ms_step"] / 1000,
            "kind": case.kind,
        }
    raise AssertionError("training ended before all was measured")


def run(spec: dict[str, Any]) -> dict[str, Any]:
    """All cases; each frees what it held."""
    import gc

    import torch

    points = {}
    for name, case in (SMOKE if spec["smoke"] else CASES).items():
        with tempfile.TemporaryDirectory(dir=spec["folder"]) as folder:
            points[name] = one(case, spec, Path(folder))
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        Path(spec["result"]).write_text(json.dumps({"points": points}))  # what is cut off keeps these
    return {"points": points}


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    turn.wait_for_turn(given)
    Path(given["result"]).write_text(json.dumps(run(given)))
