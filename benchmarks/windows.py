"""What it costs in loss to mix the blocks of few shards at a time.

    python benchmarks/windows.py [--corpus wiki.train.txt] [--portion_mb 1] [--steps 400] [--seeds 3]

A corpus (the documentation installed on this machine, package by package, where none is given) is prepared into shards
of `--portion_mb` in its own order, so that what is alike stays together, and a small
Llama (4 layers x 128, blocks of 128, batches of 16) is trained on it with `data.shuffle_window` 1, 4, 16 and 0 (all):
the same steps, the loss on what was held out, mean and deviation over seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from pretune.main import main as pretune
from pretune.storage.cache import default_cache
from pretune.text.readers import read_installed_docs

NETWORK = "{model_type: llama, hidden_size: 128, num_hidden_layers: 4, num_attention_heads: 4, intermediate_size: 512}"
CORPUS = """
data:
  class_path: CorpusDataModule
  init_args: {{train_files: {corpus}, tokenizer: {{train: bytelevel, vocab_size: 4096}}, documents: line}}
"""


def loss(prepared: str, window: int, seed: int, steps: int) -> float:
    """Train once; return the loss on what was held out."""
    cli: Any = pretune(
        [
            "fit", "--model=CausalLanguageModeling", f"--model.backbone={{config: {NETWORK}, dropout: 0.0}}",
            "--model.learning_rate=0.001", "--data=CorpusDataModule", f"--data.prepared={prepared}",
            "--data.block_size=128", "--data.batch_size=16", f"--data.shuffle_window={window}", f"--data.seed={seed}",
            f"--seed_everything={seed}", f"--trainer.max_steps={steps}", f"--trainer.val_check_interval={steps}",
            "--early_stopping=null", "--export_check=false", "--trainer.enable_progress_bar=false",
            f"--name=window-{window}-{seed}", "--trainer.check_val_every_n_epoch=null",
        ]
    )  # fmt: skip
    return float(cli.trainer.callback_metrics["val/loss"])


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--portion_mb", default="1")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    corpus = options.corpus.resolve() if options.corpus else Path("docs.jsonl")
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        if options.corpus is None:
            rows = read_installed_docs("corpus", "train", cache_dir=default_cache())
            corpus.write_text("".join(json.dumps({"text": row["text"]}) + "\n" for row in rows))
        Path("corpus.yaml").write_text(CORPUS.format(corpus=corpus))
        size = ["--portion_mb", options.portion_mb]
        made: Any = pretune(["prepare", "--config", "corpus.yaml", "--output", "prepared", *size])
        shards = len(made.manifest.splits["train"].shards)
        print(f"\n{shards} shards of {made.manifest.tokens / shards:,.0f} tokens\n")
        table = []
        for window in (1, 4, 16, 0):
            found = [loss("prepared", window, seed, options.steps) for seed in range(options.seeds)]
            spread = statistics.stdev(found) if len(found) > 1 else 0.0
            table.append(f"| {window or 'all'} | {statistics.mean(found):.4f} | {spread:.4f} |")
    print("\n| shards mixed | validation loss | deviation |\n|--:|--:|--:|", *table, sep="\n")


if __name__ == "__main__":
    main()
