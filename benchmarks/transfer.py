"""What each objective brings to each task: pretrain for equal time, fine-tune from each, and from scratch.

    python benchmarks/transfer.py DATA [--language en] [--minutes 4] [--labels 500] [--seeds 1 2 3]
        [--starts scratch MaskedLanguageModeling ...]

DATA holds, for English, `wikitext-2/{train,validation}.txt` and `sst2`, `mrpc`, `cola`, `rte` (jsonl, with columns
sentence or sentence1 and sentence2, and label); for Chinese, `zh_classics/{train,validation}.txt` and
`chnsenticorp_htl` (columns text and label).

Results are kept in `transfer.json` beside `runs/`: a run that is there is not repeated, so that the command goes on
where it stopped. Weights are chosen on validation; the test set is looked at once per run. Where the test labels are
not public (CoLA, RTE), the official validation part is the test set and a tenth of the training rows validates.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import time
from pathlib import Path

from pretune.main import main

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
KEPT = Path("transfer.json")
BODY = {"model_type": "bert", "hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4}
BACKBONE = {"config": {**BODY, "intermediate_size": 1024}, "dropout": 0.0}
STARTS = [
    "scratch",
    "MaskedLanguageModeling",
    "NextSentencePrediction",
    "SentenceOrderPrediction",
    "ReplacedTokenDetection",
]
TASKS = {
    "en": {
        "sst2": ("accuracy", ["--data.text_column=sentence"]),
        "mrpc": ("accuracy", ["--data.text_column=sentence1", "--data.text_pair_column=sentence2"]),
        "cola": ("mcc", ["--data.text_column=sentence"]),
        "rte": ("accuracy", ["--data.text_column=sentence1", "--data.text_pair_column=sentence2"]),
    },
    "zh": {"chnsenticorp_htl": ("accuracy", ["--data.text_column=text"])},
}
CORPUS = {"en": "wikitext-2", "zh": "zh_classics"}
UNLABELED_TEST = ("cola", "rte")


def once(name: str, commands: list[list[str]]) -> dict[str, float]:
    """Runs the commands unless their result is kept; returns the scores of the last run folder."""
    kept = json.loads(KEPT.read_text()) if KEPT.is_file() else {}
    if name not in kept:
        began = time.monotonic()
        for args in commands:
            print(f"\n$ python main.py {shlex.join(args)}", flush=True)
            folder = main(args).run.folder
        summary = json.loads((folder / "summary.json").read_text())
        kept = json.loads(KEPT.read_text()) if KEPT.is_file() else {}  # another process may have added to it
        kept[name] = {"seconds": time.monotonic() - began, **summary["fit"], **summary.get("test", {})}
        KEPT.write_text(json.dumps(kept, indent=1))
    result: dict[str, float] = kept[name]
    return result


def pretrain(data: Path, language: str, objective: str, minutes: float) -> dict[str, float]:
    """One run of an objective, as long as the others'."""
    corpus = data / CORPUS[language]
    pairs = "Sentence" in objective
    clock = f"00:{int(minutes) // 60:02d}:{int(minutes) % 60:02d}:{round(minutes % 1 * 60):02d}"
    args = [
        "fit",
        f"--name=transfer-{language}-{objective}",
        f"--model={objective}",
        f"--model.backbone={json.dumps(BACKBONE)}",
        "--model.learning_rate=1e-3",
        "--model.betas=[0.9, 0.98]",
        "--model.warmup=0.06",
        f"--data={'SentencePairDataModule' if pairs else 'CorpusDataModule'}",
        f"--data.train_files={corpus}/train.txt",
        f"--data.validation_files={corpus}/validation.txt",
        "--data.documents=line",
        "--data.tokenizer={train: wordpiece, vocab_size: 8192, lowercase: true}",
        f"--data.{'max_length' if pairs else 'block_size'}=128",
        "--data.batch_size=16",
        f"--trainer.max_time={clock}",
        "--trainer.max_epochs=1000",
        "--trainer.val_check_interval=200",
        "--trainer.check_val_every_n_epoch=null",
        "--trainer.limit_val_batches=12",
        "--early_stopping=null",
        "--trainer.enable_progress_bar=false",
    ]
    return once(f"{language} {objective}", [args])


def finetune(data: Path, language: str, task: str, start: str, labels: int, seed: int) -> dict[str, float]:
    """One run of a task from a start."""
    name = f"transfer-{language}-{task}-{start}-{labels}-{seed}"
    folder = data / task
    test = "validation" if task in UNLABELED_TEST else "test"
    first = f"runs/transfer-{language}-MaskedLanguageModeling"  # all starts have its tokenizer
    backbone = (
        json.dumps({**BACKBONE, "dropout": 0.1})
        if start == "scratch"
        else json.dumps({"name": f"runs/transfer-{language}-{start}", "dropout": 0.1})
    )
    args = [
        f"--config={CONFIGS}/finetune/sentiment.yaml",
        f"--name={name}",
        f"--seed_everything={seed}",
        f"--data.seed={seed}",
        f"--model.backbone={backbone}",
        "--model.learning_rate=3e-4",
        f"--data.tokenizer={first}",
        f"--data.train_files={folder}/train.jsonl",
        f"--data.test_files={folder}/{test}.jsonl",
        "--data.label_column=label",
        "--data.max_length=128",
        *([] if test == "validation" else [f"--data.validation_files={folder}/validation.jsonl"]),
        *TASKS[language][task][1],
        f"--data.examples_per_label={labels}",
        "--trainer.max_epochs=3",
        "--early_stopping=null",
        "--trainer.enable_progress_bar=false",
    ]
    return once(f"{language} {task} {start} {labels} {seed}", [["fit", *args], ["test", *args]])


def report(data: Path, language: str, minutes: float, labels: int, seeds: list[int], starts: list[str]) -> None:
    """Runs what is missing and prints the table."""
    lines = []
    for start in ["MaskedLanguageModeling", *starts]:  # the first one's tokenizer serves all
        if start != "scratch":
            found = pretrain(data, language, start, minutes)
            lines.append(
                f"{start}: {found['seconds']:.0f} s, {found['steps']} steps, validation loss {found['best']:.3f}"
            )
    print("\n" + "\n".join(dict.fromkeys(lines)) + "\n", flush=True)
    tasks = TASKS[language]
    rows = [f"| from | {' | '.join(f'{task} ({metric})' for task, (metric, _) in tasks.items())} | mean |"]
    rows.append("|---" * (len(tasks) + 2) + "|")
    table: dict[str, list[list[float]]] = {start: [[] for _ in tasks] for start in starts}
    for seed in seeds:  # all starts of a seed before the next one: what is there so far can be compared
        for start in starts:
            for scores, (task, (metric, _)) in zip(table[start], tasks.items(), strict=True):
                scores.append(100 * finetune(data, language, task, start, labels, seed)[f"test/{metric}"])
    for start in starts:
        cells = [f"{statistics.mean(s):.1f} ± {statistics.stdev(s) if len(s) > 1 else 0:.1f}" for s in table[start]]
        mean = statistics.mean(statistics.mean(scores) for scores in table[start])
        rows.append(f"| {start} | {' | '.join(cells)} | {mean:.1f} |")
    print("\n" + "\n".join(rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--language", choices=list(TASKS), default="en")
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--labels", type=int, default=500, help="examples of each label to fine-tune on")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--starts", nargs="+", choices=STARTS, default=STARTS)
    options = parser.parse_args()
    report(options.data, options.language, options.minutes, options.labels, options.seeds, options.starts)
