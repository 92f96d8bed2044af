"""What is measured: each work, its sides, and the ratios that are to be reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["training", "whole", "memory", "series"]


def bert(width: int, layers: int, heads: int | None = None) -> dict[str, Any]:
    """A BERT of the usual proportions."""
    return {
        "model_type": "bert",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads or width // 64,
        "intermediate_size": 4 * width,
    }


SMALL, BASE = bert(256, 4), bert(768, 12)
# Tables of words have a multiple of 64 rows, which matrix units want, on all sides: 50,304 for GPT-2's 50,257 words.
GPT2 = {"model_type": "gpt2", "vocab_size": 50_304}
TINY = {"bert": bert(32, 1, 2), "gpt2": {"model_type": "gpt2", "n_embd": 32, "n_layer": 1, "n_head": 2}}


@dataclass(frozen=True)
class Side:
    """One way of doing a work.

    Args:
        note: what the table calls it.
        target: the ratio that ours is to reach against it; None for ours.
        program: `ours`, `peer` (transformers.Trainer) or `loop` (a plain loop).
        options: settings of this side alone.
    """

    note: str
    target: float | None = None
    program: Literal["ours", "peer", "loop"] = "peer"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """A row of the issue's table.

    Args:
        title: in the table.
        kind: `training`, true tokens a second; `whole`, seconds from the command to the score; `memory`, bytes above
            the start of evaluating; `series`, ours alone, several points in one process.
        task: `mlm`, `clm`, `classification` or `questions`.
        settings: equal on all sides.
        sides: by name.
        repeats: at most so many.
        equal_batches: whether each step of each side has the same number of true tokens.
    """

    title: str
    kind: Kind
    task: str
    settings: Mapping[str, Any]
    sides: Mapping[str, Side]
    repeats: int | None = None
    equal_batches: bool = False


OURS = Side("ours", program="ours")


# The Trainer sorts by length within 50 batches, and hands those out from long to short: so many steps are one measure,
# wherever they begin.
SORTED = {"steps_of": {"ours": 50, "grouped": 50}}


def padded(full: float, dynamic: float, grouped: float) -> dict[str, Side]:
    """The three ways in which the Trainer's users pad."""
    grouping = {"arguments": {"train_sampling_strategy": "group_by_length"}}
    return {
        "padded": Side("Trainer, padded to 128", full, options={"padding": "max_length"}),
        "dynamic": Side("Trainer, dynamic padding", dynamic),
        "grouped": Side("Trainer, grouped by length", grouped, options=grouping),
    }


def scaling(title: str, vary: str, points: list[Any], smoke: list[Any], **settings: Any) -> Work:
    """Ours alone, over several values of one setting."""
    fixed = {"architecture": SMALL, "block": 128, "batch": 32, "seconds": 3.0, **settings}
    varied = {"vary": vary, "points": points, "smoke_points": smoke}
    return Work(title, "series", "mlm", {**fixed, **varied}, {"ours": OURS}, repeats=1)


SIZES = {"tiny": bert(128, 2), "mini": bert(256, 4), "small": bert(512, 4), "medium": bert(512, 8), "base": BASE}

WORKS = {
    "mlm-small": Work(
        "MLM, BERT 4x256, blocks of 128",
        "training",
        "mlm",
        {"architecture": SMALL, "block": 128, "batch": 32, "seconds": 8.0},
        {"ours": OURS, "trainer": Side("Trainer", 3.0)},
        equal_batches=True,
    ),
    "mlm-base": Work(
        "MLM, BERT-base, blocks of 128",
        "training",
        "mlm",
        {"architecture": BASE, "block": 128, "batch": 8, "warmup": 2, "seconds": 12.0},
        {"ours": OURS, "trainer": Side("Trainer", 1.5)},
        equal_batches=True,
    ),
    "mlm-mixed": Work(
        "MLM, documents of mixed length, at most 512",
        "training",
        "mlm",
        {"architecture": SMALL, "block": 512, "batch": 8, "documents": True, "seconds": 10.0},
        {
            "ours": OURS,
            "padded": Side("Trainer, padded to 512", 2.0, options={"padding": "max_length"}),
            "dynamic": Side("Trainer, dynamic padding"),
        },
    ),
    "clm": Work(
        "CLM, GPT-2 124M, blocks of 1,024",
        "training",
        "clm",
        {"architecture": GPT2, "block": 1024, "batch": 1, "warmup": 2, "seconds": 12.0},
        {"ours": OURS, "trainer": Side("Trainer", 1.15)},
        equal_batches=True,
    ),
    "finetune-minilm": Work(
        "fine-tuning MiniLM, GLUE-like lengths",
        "training",
        "classification",
        {"batch": 32, "rows": 7328, "max_length": 128, "seconds": 8.0, **SORTED},
        {"ours": OURS, **padded(3.0, 1.5, 1.1)},
    ),
    "finetune-base": Work(
        "fine-tuning BERT-base, GLUE-like lengths",
        "training",
        "classification",
        {"architecture": BASE, "batch": 16, "rows": 7328, "max_length": 128, "seconds": 10.0, **SORTED},
        {"ours": OURS, **padded(3.0, 1.5, 1.1)},
    ),
    "defaults": Work(
        "SST-2 with MiniLM, defaults against defaults, from command to score",
        "whole",
        "classification",
        {},
        {"ours": OURS, "trainer": Side("run_glue.py's defaults", 5.0)},
    ),
    "eval-mlm": Work(
        "evaluating MLM, BERT 4x256, blocks of 128",
        "memory",
        "mlm",
        # All logits of 1,000 blocks are 16 GB, and twice that when they are joined.
        {"architecture": SMALL, "block": 128, "batch": 20, "rows": 240},
        {
            "ours": OURS,
            "logits": Side("Trainer, accuracy of the logits", 0.5),
            "argmax": Side("Trainer, argmax as in run_mlm.py", options={"argmax": True}),
        },
        repeats=2,
    ),
    "eval-squad": Work(
        "evaluating SQuAD, MiniLM, windows of 384",
        "memory",
        "questions",
        {"batch": 16, "max_length": 384, "stride": 128},
        {"ours": OURS, "trainer": Side("Trainer, as in run_qa.py", 0.5)},
        repeats=2,
    ),
    "scaling-length": scaling(
        "step against length, 4,096 tokens a step",
        "block",
        [64, 128, 256, 512, 1024],
        [16, 32],
        tokens=4096,
        architecture={**SMALL, "max_position_embeddings": 1024},
    ),
    "scaling-batch": scaling("step against batch size, blocks of 128", "batch", [4, 8, 16, 32, 64], [2, 4]),
    "scaling-model": scaling(
        "step against model, 16 blocks of 128", "architecture", list(SIZES), ["tiny", "mini"], batch=16
    ),
    "scaling-workers": scaling("the data loader alone, blocks of 128", "workers", [0, 1, 2], [0, 1]),
    "scaling-processes": Work(
        "MLM, BERT 4x256, one process against two (gloo)",
        "training",
        "mlm",
        {"architecture": SMALL, "block": 128, "batch": 32, "steps": 15},
        {
            "ours": Side("2 processes of 16 blocks", program="ours", options={"processes": 2, "batch": 16}),
            "one": Side("1 process of 32 blocks", program="ours"),
        },
    ),
}


def settings_of(work: Work, side: str, smoke: bool) -> dict[str, Any]:
    """All settings of one side."""
    found = {"warmup": 3, "steps": None, "seconds": 10.0, **work.settings, **work.sides[side].options}
    found["arguments"] = dict(found.get("arguments", {}))
    found["steps"] = found.pop("steps_of", {}).get(side, found["steps"])
    points = found.pop("smoke_points", None)
    if smoke:
        if found.get("architecture"):
            found["architecture"] = dict(TINY[found["architecture"]["model_type"]])
        sizes = {"block": 32, "batch": 4, "max_length": 32, "stride": 8, "rows": 24, "tokens": 64}
        found |= {name: size for name, size in sizes.items() if name in found or name == "rows"}
        found |= {"steps": 2, "warmup": 1, "points": points or []}
        if work.kind == "whole":
            found |= {"rows": 40, "evaluated": 40}  # a batch of the default size is 32
    return found
