"""Our side of one run: `python ours.py SPEC.json`, where the harness says what to do.

What is measured is `python main.py fit --config ...` as a user would run it, with all its callbacks and loggers, and
without validation. Where jsonargparse is not installed, Lightning's Trainer with the same module and datamodule.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import turn

from pretune.cli.process import prepare_process

MAIN = Path(__file__).resolve().parents[2] / "main.py"
CLASSES = {
    "mlm": ("MaskedLanguageModeling", "CorpusDataModule"),
    "clm": ("CausalLanguageModeling", "CorpusDataModule"),
    "classification": ("TextClassification", "TextClassificationDataModule"),
    "questions": ("QuestionAnswering", "QuestionAnsweringDataModule"),
}


def config(spec: dict[str, Any]) -> dict[str, Any]:
    """What a user's YAML would hold: what is equal on both sides, and the side's own."""
    module, datamodule = CLASSES[spec["task"]]
    backbone = {"config": spec["architecture"]} if spec.get("architecture") else {"name": spec["model"]}
    if spec.get("compile"):
        backbone["compile"] = True
    learning = {"learning_rate": 1e-4, "weight_decay": 0.01, "warmup": 0.0}
    data = {**data_of(spec), "tokenizer": spec["model"], "batch_size": spec["batch"], "seed": spec["seed"]}
    return {
        "seed_everything": spec["seed"],
        "name": "speed",
        "model": {"class_path": module, "init_args": {"backbone": backbone, **learning}},
        "data": {"class_path": datamodule, "init_args": data},
        "early_stopping": None,
        "trainer": trainer_of(spec),
    }


def trainer_of(spec: dict[str, Any]) -> dict[str, Any]:
    """Where it runs, and in how many processes."""
    found: dict[str, Any] = {
        "accelerator": "gpu" if spec["device"] == "cuda" else "cpu",
        "devices": spec.get("processes", 1),
        "default_root_dir": spec["folder"],
        "enable_progress_bar": False,
        "num_sanity_val_steps": 0,
    }
    if spec.get("nodes"):  # processes that each see the same GPU, which no library for GPUs lets two of them share
        gloo = {"process_group_backend": "gloo"}
        strategy = {"class_path": "lightning.pytorch.strategies.DDPStrategy", "init_args": gloo}
        return {**found, "num_nodes": spec["nodes"], "strategy": strategy}
    return {**found, "strategy": "ddp"} if spec.get("processes", 1) > 1 else found


def data_of(spec: dict[str, Any]) -> dict[str, Any]:
    """Files and lengths."""
    files = {f"{part}_files": path for part, path in spec["files"].items()}
    options = {"num_workers": spec["workers"]} if "workers" in spec else {}
    if spec["task"] in ("mlm", "clm"):
        options |= {"block_size": spec["block"], "packing": bool(spec.get("documents"))}
    else:
        options |= {"max_length": spec["max_length"]}
    if spec["task"] == "questions":
        return {**files, **options, "stride": spec["stride"]}
    return {**files, **options, "validation_fraction": 0.0}


def command(verb: str, wanted: dict[str, Any], folder: str, callback: Any) -> Any:
    """Runs a verb of the command line, or what it comes to.

    Args:
        verb: `fit` or `validate`.
        wanted: the configuration.
        folder: for it.
        callback: class path and arguments of what measures.

    Returns:
        The trainer; training is ended by `Measured`, though.
    """
    if find_spec("jsonargparse") is None:
        return by_hand(verb, wanted, callback)
    from pretune.main import main

    wanted["trainer"]["callbacks"] = [callback]
    path = Path(folder, "config.yaml")
    path.write_text(json.dumps(wanted))  # JSON is YAML
    untrained = ["--untrained=true"] if verb == "validate" else []  # what it takes does not depend on the weights
    return main([verb, f"--config={path}", *untrained]).trainer


def by_hand(verb: str, wanted: dict[str, Any], callback: Any) -> Any:
    """The same without the command line: its precision, clipping and callbacks that act in each step."""
    import clock
    import peak
    from lightning.pytorch import Trainer, seed_everything

    from pretune import datamodules, modules
    from pretune.cli.callbacks import StepTimes, Throughput
    from pretune.cli.options import default_precision

    seed_everything(wanted["seed_everything"])
    place, name = callback["class_path"].split(".")
    measuring = getattr({"clock": clock, "peak": peak}[place], name)(**callback.get("init_args", {}))
    module, data = (
        getattr(package, wanted[part]["class_path"])(**wanted[part]["init_args"])
        for package, part in ((modules, "model"), (datamodules, "data"))
    )
    trainer = Trainer(
        **wanted["trainer"],
        precision=default_precision(),
        gradient_clip_val=1.0,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=[StepTimes(), Throughput(), measuring],
    )
    getattr(trainer, verb)(module, data)
    return trainer


def training(spec: dict[str, Any]) -> dict[str, Any]:
    """Trains until all is measured."""
    from clock import LONG, Measured

    wanted = config(spec)
    wanted["trainer"] |= {"max_steps": LONG, "max_epochs": -1, "limit_val_batches": 0}
    measuring = {key: spec[key] for key in MEASURING if key in spec}
    try:
        command("fit", wanted, spec["folder"], {"class_path": "clock.LightningClock", "init_args": measuring})
    except Measured as found:
        return found.figures
    raise AssertionError("training ended before all was measured")


def memory(spec: dict[str, Any]) -> dict[str, Any]:
    """Evaluates."""
    wanted = config({**spec, "files": {"validation": spec["files"].get("train", spec["files"].get("validation"))}})
    if spec["task"] == "mlm":
        wanted["trainer"]["limit_val_batches"] = -(-spec["rows"] // spec["batch"])
    trainer = command("validate", wanted, spec["folder"], {"class_path": "peak.LightningPeak"})
    found = next(c for c in trainer.callbacks if type(c).__name__ == "LightningPeak").figures
    return {**found, "rows": spec.get("rows")}


def whole(spec: dict[str, Any]) -> dict[str, Any]:
    """The two commands that a user types, with our defaults."""
    files = spec["files"]
    options = [
        "--name=defaults",
        "--model=TextClassification",
        f"--model.backbone={spec['model']}",
        "--data=TextClassificationDataModule",
        *(f"--data.{part}_files={path}" for part, path in files.items()),
        f"--trainer.default_root_dir={spec['folder']}",
        f"--trainer.accelerator={'gpu' if spec['device'] == 'cuda' else 'cpu'}",
        "--trainer.enable_progress_bar=false",
        *(["--trainer.max_steps=4"] if spec["smoke"] else []),
    ]
    began = time.monotonic()
    for verb in ("fit", "test"):
        subprocess.run([sys.executable, str(MAIN), verb, *options], check=True)
    seconds = time.monotonic() - began
    folder = Path(spec["folder"], "defaults", "version_0")
    summary = json.loads((folder / "summary.json").read_text())
    return {"value": seconds, "score": summary["test"]["test/accuracy"], "steps": summary["fit"]["steps"]}


def series(spec: dict[str, Any]) -> dict[str, Any]:
    """One point after the other; each is a training of its own, or a datamodule's loader alone."""
    points = {}
    for number, point in enumerate(spec["points"]):
        folder = Path(spec["folder"], str(number))
        folder.mkdir()
        one = {**spec, spec["vary"]: point, "folder": str(folder)}
        if spec["vary"] == "architecture":
            from works import SIZES

            one["architecture"] = SIZES[point]
        if spec["vary"] == "block":
            one["batch"] = max(1, spec["tokens"] // point)
        points[str(point)] = loading(one) if spec["vary"] == "workers" else training(one)
    return {"points": points}


def loading(spec: dict[str, Any]) -> dict[str, Any]:
    """True tokens a second of the loader, over epochs until the time is up; the first epoch warms it up."""
    from pretune import datamodules
    from pretune.modules.batches.sizes import batch_sizes

    made = config(spec)["data"]
    data = getattr(datamodules, made["class_path"])(**made["init_args"])
    data.prepare_data()
    data.setup("fit")
    loader = data.train_dataloader()
    for _ in islice(loader, 2 if spec["steps"] else None):
        pass
    tokens, began = 0, time.perf_counter()
    while time.perf_counter() - began < (0.01 if spec["steps"] else spec["seconds"]):
        for batch in loader:
            sizes = batch_sizes(batch)
            assert sizes is not None
            tokens += int(sizes.tokens)
    return {"value": tokens / (time.perf_counter() - began)}


MEASURING = ("warmup", "steps", "seconds", "profile", "windows", "watched")
"""What the clock is told."""
KINDS = {"training": training, "memory": memory, "whole": whole, "series": series}


def run(spec: dict[str, Any]) -> dict[str, Any]:
    """One run."""
    return KINDS[spec["kind"]](spec)


if __name__ == "__main__":
    prepare_process()  # as main.py does where it is the process
    given = json.loads(Path(sys.argv[1]).read_text())
    turn.wait_for_turn(given)
    done = run(given)
    if not int(os.environ.get("LOCAL_RANK", 0)) and not int(os.environ.get("NODE_RANK", 0)):
        Path(given["result"]).write_text(json.dumps(done))
