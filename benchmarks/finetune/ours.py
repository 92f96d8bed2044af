"""Our side of one run: `python ours.py SPEC.json`, where the harness says what to do.

The commands are those that a user would type; here they run in one process, as the Trainer's scripts do.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from scores import squad_scores

from pretune.cli.process import prepare_process
from pretune.main import main

CLASSES = {
    "classification": "TextClassification",
    "regression": "TextClassification",
    "tokens": "TokenClassification",
    "questions": "QuestionAnswering",
    "choice": "MultipleChoice",
}


def options(spec: dict[str, Any]) -> list[str]:
    """What the commands have in common; `options` of the specification replace what is equal on both sides."""
    kind = CLASSES[spec["kind"]]
    files = spec["files"]
    equal = [
        f"--model.learning_rate={spec['learning_rate']}",
        f"--model.weight_decay={spec['weight_decay']}",
        f"--model.warmup={spec['warmup']}",
        f"--data.batch_size={spec['batch_size']}",
        "--early_stopping=null",
        f"--trainer.max_epochs={spec['epochs']}",
        "--trainer.num_sanity_val_steps=0",  # neither side evaluates before it trains
    ]
    return [
        f"--name={spec['name']}",
        f"--seed_everything={spec['seed']}",
        f"--model={kind}",
        f"--model.backbone={spec['model']}",
        f"--model.monitor=val/{spec['metrics'][0]}",
        f"--data={kind}DataModule",
        *(f"--data.{part}_files={files[part]}" for part in ("train", "validation", "test")),
        *columns(spec),
        f"--data.max_length={spec['max_length']}",
        f"--data.seed={spec['seed']}",
        *spec.get("options", equal),
        f"--trainer.default_root_dir={spec['folder']}",
        "--trainer.enable_progress_bar=false",
    ]


def columns(spec: dict[str, Any]) -> list[str]:
    """Which columns hold what."""
    names = spec["columns"]
    if spec["kind"] in ("classification", "regression"):
        pair = [f"--data.text_pair_column={names[1]}"] if len(names) > 1 else []
        return [f"--data.text_column={names[0]}", *pair, "--data.label_column=label"]
    if spec["kind"] == "choice":
        return [f"--data.context_column={names[0]}", f"--data.endings_column={names[1]}", "--data.label_column=label"]
    if spec["kind"] == "questions":
        return [f"--data.stride={spec['stride']}"]  # its columns, and those of tagged words, are found by their names
    return []


def run(spec: dict[str, Any]) -> dict[str, Any]:
    """One run, from files to scores."""
    common = options(spec)
    folder = command("fit", *common)
    fitted = json.loads((folder / "summary.json").read_text())["fit"]
    if spec["kind"] == "questions":  # scored by the same function as the Trainer's answers
        given = command("predict", *common, f"--data.predict_files={spec['files']['test']}")
        rows = [json.loads(line) for line in Path(spec["files"]["test"]).read_text().split("\n") if line]
        golds = {row["id"]: row["answers"]["text"] for row in rows}
        scores = squad_scores(json.loads((given / "predictions.json").read_text()), golds)
        fitted["best"] /= 100  # as all scores here
    else:
        tested = json.loads((command("test", *common) / "summary.json").read_text())["test"]
        scores = {name: tested[f"test/{name}"] for name in spec["metrics"]}
    return {"validation": fitted["best"], "test": scores, "steps": fitted["steps"]}


def command(*args: str) -> Path:
    """Runs a command as `python main.py` would; returns the run folder."""
    print(f"\n$ python main.py {shlex.join(args)}", flush=True)
    folder: Path = main(args).run.folder
    return folder


if __name__ == "__main__":
    prepare_process()  # as main.py does where it is the process
    given = json.loads(Path(sys.argv[1]).read_text())
    Path(given["result"]).write_text(json.dumps(run(given)))
