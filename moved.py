"""Where the files of version 0.1 lie now: their former names are found, with a notice, until the next version."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

ROOMS = (
    ("", "cli", "allocator>process arguments quiet recipes startup>process"),
    ("costs", "cli.commands", "benchmark estimate estimate_report"),
    ("costs", "cli.costs", "flops hardware step_memory workload"),
    ("datamodules", "datamodules.batching", "blocks loader mixture packing"),
    ("datamodules", "storage", "cache"),
    (
        "datamodules",
        "text",
        (
            "chat cleaning encoding processes progress readers sentences splitting tokenising>tokenizing "
            "tokenizer_extension>extend_tokenizer tokenizer_training>train_tokenizer word_cache words"
        ),
    ),
    (
        "datamodules",
        "datamodules",
        "classification>text_classification labelled>labeled rows>batching tokens>token_classification",
    ),
    ("datamodules", "datamodules.tables", "columns labels leakage"),
    ("datamodules.readers", "text.readers", "conll files hub installed_docs squad tables text"),
    ("experiments", "cli.commands", "compare search_plots search_space seeds significance suite_results suites tune"),
    ("", "", "hints>contracts runs>checkpoints"),
    ("modules", "modules.backbone", "families"),
    (
        "modules.callbacks",
        "cli.callbacks",
        (
            "checkpoints curves early_stopping export history overfitting pace plots predictions "
            "progress_bar report save_config step_times stopping throughput"
        ),
    ),
    ("modules", "cli", "cli>pretune_cli loggers options parser"),
    ("modules", "modules.cards", "card"),
    ("modules", "text", "markdown"),
    ("modules.layers", "modules.backbone", "adapters depth positions vocabulary"),
    ("modules.layers", "modules.losses", "agreement losses>cross_entropy vocabulary_loss>vocabulary"),
    ("modules.layers", "modules.metrics", "answer_spans entities metrics>basic multilabel text_scores"),
    (
        "modules.layers",
        "modules.shortcuts",
        "cpu_attention document_groups dropout packed_attention padding_check sparse_head unpadding",
    ),
    ("modules.layers", "modules.corruption", "denoising hashing masking pairs"),
    ("modules.layers", "modules.optimization", "l2_sp muon optimizers schedules unfreezing window"),
    ("modules.layers", "modules.callbacks", "logistic"),
    ("modules.layers", "modules.batches", "rows>padded_rows sizes targets"),
    ("modules.layers", "modules", "sharding"),
    (
        "modules.tasks",
        "modules.tasks",
        "classification>text_classification labelled>labeled tokens>token_classification",
    ),
    ("modules.callbacks", "cli.callbacks", "answers"),
    ("modules", "cli.mistakes", "processes"),
    ("", "text", "squad_scores>answers tags tokenization>tokenizer"),
    ("", "", "nulls>errors"),
    ("", "cli", "launch pipes run_folder run_lock run_names run_state slurm stop_signals verbs"),
    ("", "cli.mistakes", "overlays written"),
    ("", "storage", "atomic_files cells checksums paths plain_files"),
    ("", "text", "visible"),
    (
        "datamodules",
        "datamodules.batching",
        ("agreement ahead permutation predict_plan predict_rows share small_data tag_windows"),
    ),
    ("datamodules", "datamodules.tables", "multi_hot"),
    ("datamodules", "storage", "manifest turns"),
    ("datamodules", "text", "findings places tag_spans template_limits unigram_scores word_counts"),
    ("datamodules.readers", "text.readers", "bad_rows>rows dialogues"),
    (
        "experiments",
        "cli.commands",
        ("one_run parsing predictions>prediction_tables search_fixed suite_checks validated_on validation_scores"),
    ),
    ("modules", "cli", "checked_cli own_code"),
    (
        "modules",
        "cli.mistakes",
        (
            "aliases class_names known_options listed_classes missing_packages null_options option_values "
            "other_options slips suggestions"
        ),
    ),
    ("modules", "modules.backbone", "carried config_fields skeleton"),
    ("modules", "modules.optimization", "resuming"),
    (
        "modules.callbacks",
        "cli.callbacks",
        ("best nothing_learned orderly_stop owed_validation prediction_files prediction_place scored untrained"),
    ),
    ("modules.layers", "modules.backbone", "adapter_files"),
    ("modules.layers", "modules.metrics", "directions majority"),
    ("modules.layers", "modules.optimization", "guard spikes"),
    ("modules.layers", "modules.shortcuts", "static_shapes varlen_attention"),
)
"""Former package, package of today, and files; `a>b` where the name is another, too."""


def _table() -> dict[str, str]:
    package = __package__ or "pretune"
    today = {}
    for before, now, names in ROOMS:
        for name in names.split():
            old, _, new = name.partition(">")
            today[".".join(filter(None, (package, before, old)))] = ".".join(filter(None, (package, now, new or old)))
    return today


class MovedModules(MetaPathFinder, Loader):
    """Finds modules by their former names."""

    def __init__(self) -> None:
        self.names = _table()
        self.emptied = {f"{__package__}.{name}" for name in ("experiments", "costs", "modules.layers")}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how a module by a former name is loaded; None for all others."""
        if fullname in self.emptied:  # a package of which all has moved
            return ModuleSpec(fullname, self, is_package=True)
        if fullname not in self.names or fullname in sys.modules:
            return None
        warnings.warn(f"{fullname} is {self.names[fullname]} now.", FutureWarning, stacklevel=2)
        return ModuleSpec(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Return the module of today, under both names; a new one for a package that is empty now."""
        if spec.name in self.emptied:
            return None
        module = import_module(self.names[spec.name])
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Leave it as it is; the import has taken its specification away."""
        if module.__spec__ is not None and module.__spec__.name not in self.emptied:
            module.__spec__ = module.__spec__.loader_state


def former_attribute(package: str, name: str, files: str) -> Any:
    """Return what stood in a file that is a package now.

    Args:
        package: of the name that the file had.
        name: that is looked for.
        files: of the package, in which what stood in the one file lies now.

    Raises:
        AttributeError: if it is in none of them.
    """
    if not name.startswith("__"):
        for file in files.split():
            module = import_module(f"{package}.{file}")
            if name in vars(module):
                return getattr(module, name)
    raise AttributeError(f"module {package!r} has no attribute {name!r}")


def find_moved_modules() -> None:
    """Have former names found in this process; before the places of today, which would load a file twice."""
    if not any(isinstance(finder, MovedModules) for finder in sys.meta_path):
        sys.meta_path.insert(0, MovedModules())
