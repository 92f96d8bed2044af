"""A plain loop of a page: `python loop.py SPEC.json`. What a hand-written script for causal modelling would be."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from clock import LONG, Clock, Measured
from peer import language, network, tokenizer_of

from pretune.modules.options import default_precision


def run(spec: dict[str, Any]) -> dict[str, Any]:
    """Trains until all is measured."""
    tokenizer = tokenizer_of(spec)
    blocks = torch.tensor(language(spec, tokenizer)["input_ids"])
    device, half = torch.device(spec["device"]), default_precision() == "bf16-mixed"
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        blocks = blocks.pin_memory()
    model = network(spec, tokenizer).to(device).train()
    step = torch.compile(model) if spec.get("compile") and not spec["smoke"] else model
    groups = [
        {"params": [p for p in model.parameters() if (p.ndim > 1) == decays], "weight_decay": 0.01 * decays}
        for decays in (True, False)
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-4, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: 1 - done / LONG)
    dtype = "bfloat16" if half else "float32"
    clock = Clock(spec["warmup"], spec["steps"], spec["seconds"], dtype, profile=spec["profile"])
    torch.manual_seed(spec["seed"])
    try:
        while True:
            order = torch.randperm(len(blocks))
            for rows in order.split(spec["batch"])[: max(1, len(blocks) // spec["batch"])]:
                ids = blocks[rows].to(device, non_blocking=True)
                with torch.autocast(device.type, torch.bfloat16, enabled=half):
                    loss = step(input_ids=ids, labels=ids).loss
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad(set_to_none=True)
                clock.after(model, {"input_ids": ids}, ids[:, 1:].numel(), loss.detach())
    except Measured as found:
        return found.figures


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    done = run(given)
    Path(given["result"]).write_text(json.dumps(done))
