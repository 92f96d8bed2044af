"""A plain loop of a page: `python loop.py SPEC.json`. What a hand-written script for a corpus would be."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
import turn
from clock import LONG, Measured, clock_of
from peer import language, network, tokenizer_of
from torch import Tensor

from pretune.cli.options import default_precision

MASKED = 0.15
"""Share of tokens that are predicted."""


def masked(ids: Tensor, tokenizer: Any, special: Tensor) -> tuple[Tensor, Tensor]:
    """BERT's corruption on the device: the inputs and the labels, -100 where nothing is predicted."""
    chosen = (torch.rand(ids.shape, device=ids.device) < MASKED) & ~special[ids]
    how = torch.rand(ids.shape, device=ids.device)
    others = torch.randint(len(tokenizer), ids.shape, device=ids.device)
    inputs = torch.where(chosen & (how < 0.8), tokenizer.mask_token_id, ids)
    inputs = torch.where(chosen & (how >= 0.9), others, inputs)
    return inputs, torch.where(chosen, ids, -100)


def run(spec: dict[str, Any]) -> dict[str, Any]:
    """Trains until all is measured."""
    tokenizer = tokenizer_of(spec)
    blocks = torch.tensor(language(spec, tokenizer)["input_ids"])
    device, half = torch.device(spec["device"]), default_precision() == "bf16-mixed"
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
        blocks = blocks.pin_memory()
    special = torch.zeros(len(tokenizer), dtype=torch.bool)
    special[tokenizer.all_special_ids] = True
    special = special.to(device)
    model = network(spec, tokenizer).to(device).train()
    step = torch.compile(model) if spec.get("compile") else model
    groups = [
        {"params": [p for p in model.parameters() if (p.ndim > 1) == decays], "weight_decay": 0.01 * decays}
        for decays in (True, False)
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-4, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda done: 1 - done / LONG)
    clock = clock_of(spec, "bfloat16" if half else "float32")
    torch.manual_seed(spec["seed"])
    try:
        while True:
            order = torch.randperm(len(blocks))
            for rows in order.split(spec["batch"])[: max(1, len(blocks) // spec["batch"])]:
                ids = blocks[rows].to(device, non_blocking=True)
                inputs, labels = (ids, ids) if spec["task"] == "clm" else masked(ids, tokenizer, special)
                with torch.autocast(device.type, torch.bfloat16, enabled=half):
                    loss = step(input_ids=inputs, labels=labels).loss
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad(set_to_none=True)
                targets = ids[:, 1:].numel() if spec["task"] == "clm" else (labels != -100).sum()
                clock.after(model, {"input_ids": ids}, targets, loss.detach())
    except Measured as found:
        return found.figures


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    turn.wait_for_turn(given)
    done = run(given)
    Path(given["result"]).write_text(json.dumps(done))
