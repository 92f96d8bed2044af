"""A corpus tokenized once for all runs: `python main.py prepare --config FILE --output FOLDER`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import yaml
from lightning.pytorch import LightningModule

from ...datamodules import CorpusDataModule
from ...errors import InputError, check_range
from ...text.processes import cores
from ..preparing import lines_of, page_of
from ..recipes import with_recipe
from ..terminal import say
from ..usage_error import UsageError
from ..verb_options import read_options
from .unbuilt import UnbuiltCLI

if TYPE_CHECKING:
    from ...datamodules.preparing.executors import Executors
    from ...datamodules.preparing.made import Prepared


TASKS = 64


def _option(name: str, default: Any, metavar: str | None = None) -> Any:
    return field(default=default, metadata={"option": name, **({"metavar": metavar} if metavar else {})})


@dataclass(frozen=True)
class PrepareOptions:
    """What `prepare` is asked.

    Args:
        output: a folder for the corpus, or its URL (s3://bucket/corpus); what was begun there goes on.
        from_: what is read: texts, or token files that another tool made with what data.tokenizer names.
        tokens: the token files, or their folders: a path, a glob, or a list, [a, b].
        executor: who does the work: processes of this machine, or a Slurm or Ray cluster.
        tasks: parts that the work is divided into; the output is the same.
        workers: tasks at a time; null: one for each core, on a cluster all.
        portion_mb: megabytes of input in a shard, about.
        slurm_partition: of the cluster.
        slurm_time: limit of a task.
        slurm_memory_gb: memory of a task.
        slurm_qos: quality of service, where the cluster has such.
        slurm_account: that is charged, where the cluster asks.
        slurm_setup: shell command that is run before each task, such as `module load python`.
        ray_address: of a running cluster; null: $RAY_ADDRESS, or one on this machine.
        ray_memory_gb: memory of a task.

    Raises:
        InputError: if a number is out of its range, or an option of Slurm is missing.
    """

    output: str | None = field(default=None, metadata={"metavar": "URL"})
    from_: Literal["texts", "megatron", "litdata", "nanogpt"] = _option("from", "texts")
    tokens: str | None = field(default=None, metadata={"metavar": "PATHS"})
    executor: Literal["local", "slurm", "ray"] = "local"
    tasks: int = TASKS
    workers: int | None = None
    portion_mb: int = 64
    slurm_partition: str | None = _option("slurm.partition", None)
    slurm_time: str = _option("slurm.time", "24:00:00")
    slurm_memory_gb: int = _option("slurm.memory_gb", 4, "GB")
    slurm_qos: str | None = _option("slurm.qos", None)
    slurm_account: str | None = _option("slurm.account", None)
    slurm_setup: str | None = _option("slurm.setup", None, "COMMAND")
    ray_address: str | None = _option("ray.address", None)
    ray_memory_gb: int = _option("ray.memory_gb", 4, "GB")

    def __post_init__(self) -> None:
        for name in ("tasks", "workers", "portion_mb"):
            check_range(f"--{name}", getattr(self, name), least=1)
        check_range("--slurm.memory_gb", self.slurm_memory_gb, least=1)
        check_range("--ray.memory_gb", self.ray_memory_gb, least=1)

    def check_import(self) -> None:
        """Refuse options that do not go together where another tool has tokenized.

        Raises:
            UsageError: saying what would work.
        """
        if (self.from_ == "texts") != (self.tokens is None):
            missing, given = ("from", "tokens") if self.from_ == "texts" else ("tokens", "from")
            raise UsageError(f"--{given} needs --{missing}: --from megatron|litdata|nanogpt --tokens PATHS.")
        if self.from_ != "texts" and (self.executor, self.tasks, self.workers) != ("local", TASKS, None):
            raise UsageError("--from works in this process alone: leave --executor, --tasks and --workers out.")

    def executors(self) -> Executors:
        """Return who does the work."""
        from ...datamodules.preparing.executors import Executors

        workers = self.workers or (cores() if self.executor == "local" else -1)
        slurm = {
            "partition": self.slurm_partition,
            "time": self.slurm_time,
            "mem_per_cpu_gb": self.slurm_memory_gb,
            "qos": self.slurm_qos,
            "account": self.slurm_account,
            "setup": self.slurm_setup,
        }
        ray = {"address": self.ray_address, "mem_per_cpu_gb": self.ray_memory_gb}
        return Executors(self.executor, self.tasks, workers, slurm, ray)


class _NoModel(LightningModule):
    """Stands where a configuration of a corpus names no model."""


def run_prepare(args: Sequence[str]) -> Prepared:
    """Clean a corpus, remove its duplicates, and tokenize it into shards, once for all runs; data.prepared reads them.

    The options of the data are those of `fit` (CorpusDataModule); a model may stand beside them and is not made. The
    work is divided into portions of the input, each of which leaves one shard: the same bytes with any number of tasks
    and on any machines. Stopped, it goes on where it was when the same command is given again. At the end there are
    manifest.json, and report.html with the counts of each step. With --from, another tool has tokenized:
    its ids are divided into documents and written as they are.

    Args:
        args: what stands after `prepare`: its own options (`PrepareOptions`), and those of `fit`.

    Returns:
        The manifest.

    Raises:
        InputError: if an option is wrong, the input cannot be read, or the output holds something else.
    """
    options, rest = read_options(PrepareOptions, args)
    if not options.output:
        raise UsageError("--output is missing: prepare --config FILE --output FOLDER.")
    options.check_import()
    if options.executor == "slurm" and not options.slurm_partition:
        raise UsageError("--executor slurm needs the cluster's partition: --slurm.partition NAME (`sinfo` lists them).")
    output = options.output if "://" in options.output else os.path.abspath(os.path.expanduser(options.output))
    if options.from_ != "texts":
        from ...datamodules.preparing.importing.importing import import_tokens

        paths = _paths(options.tokens or "")
        made = import_tokens(_datamodule(rest), output, options.from_, paths, options.portion_mb << 20, page_of)
        return _told(made, output)
    if find_spec("datatrove") is None:
        raise InputError('prepare needs the package datatrove: pip install "pretune[prepare]".')
    from ...datamodules.preparing.prepare import prepare

    data = _datamodule(rest)
    made = prepare(data, output, options.executors(), options.portion_mb << 20, page_of)
    return _told(made, output)


def _told(made: Prepared, output: str) -> Prepared:
    """Say what came of it."""
    done = [] if made.seconds else [f"{output} was finished already: nothing is done."]
    say("\n".join([*lines_of(made), *done, f"The page: {output}/report.html"]))
    return made


def _paths(text: str) -> list[str]:
    """Return the paths of an option: one, or a list of YAML's."""
    if not text.startswith("["):
        return [text]
    try:
        paths = yaml.safe_load(text)
    except yaml.YAMLError:
        paths = None
    if not paths or not all(isinstance(path, str) for path in paths):
        raise UsageError(f"--tokens is {text}; a path, a glob, or a list of them, [a.bin, b.bin], would work.")
    return list(paths)


def _datamodule(args: Sequence[str]) -> CorpusDataModule:
    """Return the datamodule of a configuration, beside the model that it names, or none."""
    stand_in = [f"--model={_NoModel.__module__}.{_NoModel.__qualname__}", "--data=CorpusDataModule"]
    with tempfile.TemporaryDirectory() as folder:
        cli = UnbuiltCLI(with_recipe(["fit", *stand_in, *args, f"--trainer.default_root_dir={folder}"]))
    data: Any = cli.datamodule
    if not isinstance(data, CorpusDataModule):
        raise InputError(f"prepare reads what CorpusDataModule reads, and data is {type(data).__name__}.")
    data.trainer = SimpleNamespace(lightning_module=cli.model)  # type: ignore[assignment]
    return data
