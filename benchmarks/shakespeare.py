"""Shakespeare letter by letter: this project's command beside a plain loop that trains the same model.

    python benchmarks/shakespeare.py DATA [--runs 3] [--cases plain ours ours-1e-3 ours-1500]

DATA holds `tiny_shakespeare/{train,validation}.txt`. The loop is what nanoGPT's example for processors does (4 layers
of 128, 4 heads, blocks of 64, batches of 12, 2,000 steps, learning rate 1e-3 falling to 1e-4, an estimate of both
losses over 20 batches every 250 steps), written in plain torch and float32 as there. Both run as whole processes, in
turn; the loss of both is taken on the whole validation text, in blocks of 64.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def plain(data: Path) -> float:
    """Trains in a plain loop; returns the loss on the whole validation text."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    class Block(nn.Module):
        def __init__(self, width: int, heads: int) -> None:
            super().__init__()
            self.heads = heads
            self.norm1, self.norm2 = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
            self.qkv = nn.Linear(width, 3 * width, bias=False)
            self.out = nn.Linear(width, width, bias=False)
            self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            rows, length, width = x.shape
            q, k, v = (
                part.view(rows, length, self.heads, -1).transpose(1, 2)
                for part in self.qkv(self.norm1(x)).split(width, dim=2)
            )
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(y.transpose(1, 2).reshape(rows, length, width))
            return x + self.down(F.gelu(self.up(self.norm2(x))))

    class Model(nn.Module):
        def __init__(self, words: int, block: int, width: int, layers: int, heads: int) -> None:
            super().__init__()
            self.words, self.places = nn.Embedding(words, width), nn.Embedding(block, width)
            self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
            self.norm = nn.LayerNorm(width, bias=False)
            for name, parameter in self.named_parameters():
                if parameter.ndim > 1:
                    last = name.endswith(("out.weight", "down.weight"))
                    nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * layers) if last else 0.02)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            x = self.words(ids) + self.places.weight[: ids.shape[1]]
            for block in self.blocks:
                x = block(x)
            return F.linear(self.norm(x), self.words.weight)

    torch.manual_seed(1337)
    texts = {split: (data / f"tiny_shakespeare/{split}.txt").read_text() for split in ("train", "validation")}
    letters = sorted(set("".join(texts.values())))
    number = {letter: i for i, letter in enumerate(letters)}
    ids = {split: torch.tensor([number[letter] for letter in text]) for split, text in texts.items()}

    def batch(split: str) -> tuple[torch.Tensor, torch.Tensor]:
        starts = torch.randint(len(ids[split]) - 64, (12,)).tolist()
        rows = torch.stack([ids[split][i : i + 65] for i in starts])
        return rows[:, :-1], rows[:, 1:]

    def loss_of(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(x).flatten(0, 1), y.flatten())

    model = Model(len(letters), 64, 128, 4, 4)
    groups = [
        {"params": [p for p in model.parameters() if (p.ndim > 1) == decays], "weight_decay": 0.1 if decays else 0.0}
        for decays in (True, False)
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))
    for step in range(2000):
        if step % 250 == 0:
            with torch.no_grad():
                for split in ids:
                    sum(float(loss_of(*batch(split))) for _ in range(20))
        part = (step - 100) / 1900
        rate = (step + 1) / 101 if step < 100 else 0.1 + 0.45 * (1 + math.cos(math.pi * part))
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * rate
        loss_of(*batch("train")).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    rows = ids["validation"][: len(ids["validation"]) // 64 * 64].view(-1, 64)
    with torch.no_grad():
        return float(loss_of(rows[:, :-1], rows[:, 1:]))


def ours(data: Path, *options: str) -> float:
    """Runs the shipped configuration; returns the best loss on the validation text."""
    from pretune.main import main

    folder = data / "tiny_shakespeare"
    args = ["fit", f"--config={ROOT}/configs/pretrain/shakespeare_char.yaml", f"--data.train_files={folder}/train.txt"]
    args += [f"--data.validation_files={folder}/validation.txt", "--trainer.enable_progress_bar=false", *options]
    summary = json.loads((main(args).run.folder / "summary.json").read_text())
    return float(summary["fit"]["best"])


CASES = {
    "plain": lambda data: plain(data),
    "ours": lambda data: ours(data),
    "ours-1e-3": lambda data: ours(data, "--model.learning_rate=1e-3"),
    "ours-1500": lambda data: ours(data, "--trainer.max_steps=1500"),
}


def report(data: Path, runs: int, cases: list[str]) -> None:
    """Times the cases as whole processes, in turn."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
    for _ in range(runs):
        for name, results in found.items():
            began = time.monotonic()
            done = subprocess.run(
                [sys.executable, __file__, str(data), "--case", name], stdout=subprocess.PIPE, text=True, check=True
            )
            results.append((time.monotonic() - began, float(done.stdout.split()[-1])))
            print(f"{name}: {results[-1][0]:.1f} s, validation loss {results[-1][1]:.4f}", flush=True)
    print(f"\n| case | seconds, median | validation loss, median | seconds / {cases[0]} |\n|---|---|---|---|")
    base = statistics.median(seconds for seconds, _ in found[cases[0]])
    for name, results in found.items():
        seconds = statistics.median(s for s, _ in results)
        loss = statistics.median(value for _, value in results)
        print(f"| {name} | {seconds:.1f} | {loss:.3f} | {seconds / base:.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=["plain", "ours"])
    parser.add_argument("--case", choices=list(CASES), help="runs one case here and prints its loss")
    options = parser.parse_args()
    if options.case:
        print(CASES[options.case](options.data))
    else:
        report(options.data, options.runs, options.cases)
