"""What is trained while things break: two tiny trainings, what they come to undisturbed, and how results compare."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from forked import FileEvents, start

WORDS = [
    "the", "a", "one", "small", "large", "old", "new", "good", "bad", "dull", "bright", "film", "book", "song", "story",
    "plot", "actor", "scene", "ends", "begins", "is", "was",
]  # fmt: skip
BACKBONE = {
    "model_type": "bert", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 64,
}  # fmt: skip
COMMON = (
    "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.precision=32-true",
    "--trainer.accumulate_grad_batches=2", "--trainer.val_check_interval=8", "--trainer.max_steps=24",
    "--trainer.log_every_n_steps=4", "--model.monitor=val/loss", "--early_stopping=null",
    "--checkpoint.every_n_steps=3", "--data.num_workers=0",
)  # fmt: skip
PRETRAIN = (
    "--name=run", "--model=MaskedLanguageModeling", "--model.learning_rate=1e-3",
    f"--model.backbone={json.dumps({'config': BACKBONE, 'dropout': 0.1})}",
    "--data=CorpusDataModule", "--data.train_files=corpus.txt", "--data.block_size=16", "--data.batch_size=4",
    '--data.tokenizer={"train": "wordpiece", "vocab_size": 200, "min_frequency": 1}',
)  # fmt: skip
FINETUNE = (
    "--name=run", "--model=TextClassification", "--model.learning_rate=3e-3", "--model.backbone=backbone",
    "--data=TextClassificationDataModule", "--data.train_files=reviews.csv", "--data.text_column=review",
    "--data.label_column=stars", "--data.batch_size=2",
)  # fmt: skip
COMMANDS = {"pretrain": (*PRETRAIN, *COMMON), "finetune": (*FINETUNE, *COMMON)}


def sentence(number: int, length: int) -> str:
    return " ".join(WORDS[(number * 7 + i * i + i * number) % len(WORDS)] for i in range(length)) + "."


def write_data(folder: Path) -> None:
    """The files that both trainings read."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "corpus.txt").write_text("\n".join(sentence(i, 6 + i % 9) for i in range(240)) + "\n")
    rows = [
        f"{sentence(i, 4 + i % 7)} {'good' if i % 2 else 'bad'},{'positive' if i % 2 else 'negative'}"
        for i in range(80)
    ]
    (folder / "reviews.csv").write_text("review,stars\n" + "\n".join(rows) + "\n")


@dataclass
class Baseline:
    """One training that nothing disturbed."""

    folder: Path
    weights: bytes = field(repr=False)
    history: list[tuple[str, str]]
    computed: float
    """Seconds of a core, all in all."""
    events: int
    """Changes of files."""
    bytes: int
    """That its folder holds, cache included."""


def run_of(folder: Path) -> Path | None:
    """The newest run in a folder that has an export."""
    runs = sorted(folder.glob("runs/run/version_*"), key=lambda path: int(path.name.rpartition("_")[2]))
    return next((run for run in reversed(runs) if (run / "export" / "model.safetensors").is_file()), None)


def weights_of(run: Path) -> bytes:
    return (run / "export" / "model.safetensors").read_bytes()


def history_of(run: Path) -> list[tuple[str, str]]:
    """Steps and losses of its validations."""
    with (run / "metrics.csv").open(newline="") as file:
        return [(row["step"], row["val/loss"]) for row in csv.DictReader(file) if row.get("val/loss")]


def is_whole(checkpoint: Path) -> bool:
    """Whether each entry of a checkpoint has its checksum."""
    try:
        with zipfile.ZipFile(checkpoint) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False


class Material:
    """Both trainings, made once in a folder and found there again.

    Args:
        root: where they lie.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.baselines = {name: self._baseline(name) for name in COMMANDS}

    def _baseline(self, name: str) -> Baseline:
        folder = self.root / name
        facts = folder / "facts.json"
        if not facts.is_file():
            shutil.rmtree(folder, ignore_errors=True)
            self.prepare(folder)
            counter = FileEvents(0, lambda: None, folder / "events.txt")
            command = start(["fit", *COMMANDS[name]], folder, counter.install)
            computed = 0.0
            while not command.ended():
                computed = command.computed()
            if command.code != 0:
                raise SystemExit(f"The undisturbed training failed:\n{command.said}")
            known = {"computed": computed, "events": int((folder / "events.txt").read_text())}
            facts.write_text(json.dumps(known))
        known = json.loads(facts.read_text())
        run = run_of(folder)
        assert run is not None
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return Baseline(folder, weights_of(run), history_of(run), known["computed"], known["events"], size)

    def prepare(self, folder: Path) -> None:
        """Lays out what the commands read."""
        write_data(folder)
        if (backbone := self.root / "pretrain" / "runs" / "run" / "version_0" / "export").is_dir():
            shutil.copytree(backbone, folder / "backbone")

    def copy(self, name: str, folder: Path) -> None:
        """Lays out a finished training."""
        shutil.copytree(self.baselines[name].folder, folder, symlinks=True)


def choose(rng: Random) -> str:
    return rng.choice(sorted(COMMANDS))


def fit(name: str, *more: str) -> Sequence[str]:
    return ["fit", *COMMANDS[name], *more]
