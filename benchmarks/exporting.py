"""Latencies of a classifier of MiniLM's shape: torch in float32, ONNX, and ONNX in int8.

    python benchmarks/exporting.py [--backbone FOLDER] [--threads 1] [--seconds 10]

Six layers of 384, as all-MiniLM-L6-v2 has them; weights are random unless FOLDER holds real ones, which changes no
time. Each line is a number of rows of a length; the three take turns, and medians are printed. Measure on a machine
that does nothing else.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

import torch

from pretune.modules import Backbone, TextClassification
from pretune.modules.portable.comparison import by_network, by_session, difference, latencies
from pretune.modules.portable.graph import input_names, whole_network
from pretune.modules.portable.onnx_export import replace_by_int8, write_onnx
from pretune.modules.portable.rows import made_up_rows, plain_rows
from pretune.text.tokenizer import load_tokenizer
from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer

MINILM = {
    "model_type": "bert", "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12,
    "intermediate_size": 1536, "vocab_size": 30522,
}  # fmt: skip
SHAPES = ((1, 16), (1, 128), (32, 32), (32, 128))
"""Rows and tokens."""
NAMES = ("torch float32", "onnx", "onnx int8")


def classifier(backbone: str | None, folder: Path) -> TextClassification:
    """A classifier with three labels, not trained; without a backbone, its tokenizer knows a few words."""
    if backbone is None:
        text = "the quick brown fox jumps over a lazy dog and runs away"
        train_tokenizer(TrainTokenizer("wordpiece", 100, min_frequency=1), iter([text] * 9), folder)
    module = TextClassification(backbone or Backbone(config=MINILM), labels=["a", "b", "c"])
    module.tokenizer = load_tokenizer(backbone or str(folder))
    module.build()
    return module.eval()


def measure(module: TextClassification, folder: Path, seconds: float) -> list[str]:
    """The table: of each shape milliseconds, and how many times as fast as torch."""
    network, names = whole_network(module), input_names(module)
    rows = [plain_rows(made_up_rows(module), names)]
    plain = write_onnx(module, network, folder)
    away = [difference(network, plain, rows).share]
    int8 = replace_by_int8(folder)
    away.append(difference(network, int8, rows).share)
    lines = [f"| rows x tokens | {' | '.join(NAMES)} |", "|---|---|---|---|"]
    for shape in SHAPES:
        ids = torch.randint(5, module.model.config.vocab_size, shape)
        given = plain_rows({"input_ids": ids}, names)
        computing = dict(
            zip(NAMES, (by_network(network, given), by_session(plain, given), by_session(int8, given)), strict=True)
        )
        found = latencies(computing, seconds)
        first = found[NAMES[0]]
        cells = [f"{1e3 * found[name]:.1f} ms ({first / found[name]:.2f}x)" for name in NAMES]
        lines.append(f"| {shape[0]} x {shape[1]} | {' | '.join(cells)} |")
    lines.append(f"Outputs differ by {away[0]:.1g} and {away[1]:.2g} of the largest.")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", help="a folder with weights and tokenizer")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seconds", type=float, default=10.0, help="for each line")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "onnx")
        place.mkdir()
        lines = measure(classifier(given.backbone, Path(folder, "tokenizer")), place, given.seconds)
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "onnxruntime", "onnx"))
    print(f"{platform.processor() or platform.machine()}, {given.threads} threads; {versions}")
    print(f"torch computes with {torch.backends.cpu.get_cpu_capability()}; load {os.getloadavg()[0]:.1f} at the end")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
