"""What is measured, the most telling first, and the ratios that are to be reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Settings = Mapping[str, Any]


def bert(width: int, layers: int, **more: Any) -> dict[str, Any]:
    """A BERT of the usual proportions."""
    sizes = {"hidden_size": width, "num_hidden_layers": layers, "intermediate_size": 4 * width}
    return {"model_type": "bert", **sizes, "num_attention_heads": width // 64, **more}


BASE = bert(768, 12)
MINILM = {**bert(384, 6), "num_attention_heads": 12}
# Tables of words have a multiple of 64 rows, which matrix units want, on all sides: 50,304 for GPT-2's 50,257 words.
GPT2 = {"model_type": "gpt2", "vocab_size": 50_304}
SPECIAL = {"pad_token_id": 0, "cls_token_id": 101, "sep_token_id": 102, "bos_token_id": 101, "eos_token_id": 102}
"""The tokenizer's, which ModernBERT's configuration has at the end of its own vocabulary."""
MODERNBERT = {"model_type": "modernbert", "vocab_size": 50_368, **SPECIAL}
TINY = {
    "bert": {**bert(32, 1), "num_attention_heads": 2},
    "gpt2": {"model_type": "gpt2", "n_embd": 32, "n_layer": 1, "n_head": 2},
    "modernbert": {
        "model_type": "modernbert",
        **SPECIAL,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "local_attention": 8,
    },
}


@dataclass(frozen=True)
class Side:
    """One way of doing a work; each is a process of its own.

    Args:
        note: what the table calls it.
        program: in this folder or in that of `speed`.
        target: the ratio that the better one of ours is to reach against it; None where none was set.
        options: settings of this side alone.
    """

    note: str
    program: str = "peer"
    target: float | None = None
    options: Settings = field(default_factory=dict)


@dataclass(frozen=True)
class Measure:
    """A row of the table.

    Args:
        title: in the table.
        kind: `tests`; `training`, true tokens a second; `memory`, bytes above the start of evaluating; `estimate`;
            `points`, several figures of one process.
        settings: equal on all sides.
        sides: by name, in the order in which they run.
        limit: seconds that a side may take.
        least: tokens a second that ours is to reach; None where none was set.
        mfu: the share of the peak that ours is to reach.
    """

    title: str
    kind: str
    settings: Settings
    sides: Mapping[str, Side]
    limit: float = 120.0
    least: float | None = None
    mfu: float | None = None


OURS = {
    "ours": Side("ours", "ours"),
    "ours-compiled": Side("ours, compiled", "ours", options={"compile": True}),
}
LOADER = {"dataloader_num_workers": 4, "dataloader_drop_last": True}
PADDED = {"padding": "max_length"}


def best(target: float | None) -> Side:
    """The Trainer as its documentation has it fastest."""
    return Side("Trainer, its best (compiled)", target=target, options={"compile": True, "arguments": LOADER})


def loop(target: float | None = None) -> Side:
    """What one would write by hand."""
    return Side("a plain loop, compiled", "loop", target, {"compile": True})


def pretraining(title: str, task: str, settings: Settings, *, to_best: float, to_loop: float | None = None,
                **more: Any) -> Measure:  # fmt: skip
    """Blocks of one length."""
    sides = {**OURS, "best": best(to_best), "defaults": Side("Trainer, bf16", target=more.pop("to_defaults", None))}
    return Measure(title, "training", {"task": task, **settings}, {**sides, "loop": loop(to_loop)}, **more)


def finetuning(title: str, architecture: Settings, batch: int) -> Measure:
    """Rows of very different lengths."""
    settings = {"task": "classification", "architecture": architecture, "batch": batch, "rows": 7328, "max_length": 128}
    sides = {
        **OURS,
        "padded": Side("Trainer, padded to 128", target=3.0, options=PADDED),
        "dynamic": Side("Trainer, dynamic padding", target=1.5),
    }
    return Measure(title, "training", settings, sides)


def workers(title: str, settings: Settings) -> Measure:
    """Ours, with batches made by a thread or by processes."""
    sides = {f"{n}": Side(f"{n} workers" if n else "a thread", "ours", options={"workers": n}) for n in (0, 1, 4)}
    return Measure(title, "training", settings, sides)


MLM = {"task": "mlm", "architecture": BASE}
MEASURES = {
    "correctness": Measure(
        "tests on the device", "tests", {}, {"tests": Side("tests/gpu", "correctness")}, limit=150.0
    ),
    "mlm-128": pretraining(
        "MLM, BERT-base, 256 blocks of 128",
        "mlm",
        {"architecture": BASE, "block": 128, "batch": 256},
        to_best=1.6,
        to_defaults=2.5,
        mfu=0.45,
    ),
    "mlm-512": pretraining(
        "MLM, BERT-base, 64 blocks of 512",
        "mlm",
        {"architecture": BASE, "block": 512, "batch": 64},
        to_best=1.6,
        to_defaults=2.5,
        mfu=0.45,
    ),
    "clm": pretraining(
        "CLM, GPT-2 124M, 16 blocks of 1,024",
        "clm",
        {"architecture": GPT2, "block": 1024, "batch": 16},
        to_best=1.5,
        to_loop=1.0,
        least=330_000,
    ),
    "modernbert": Measure(
        "MLM, ModernBERT-base, documents packed, 32 x 1,024",
        "training",
        {"task": "mlm", "architecture": MODERNBERT, "block": 1024, "batch": 32, "documents": True},
        {**OURS, "padded": Side("Trainer, padded to 1,024", options=PADDED), "dynamic": Side("Trainer, dynamic")},
        least=300_000,
    ),
    "finetune-base": finetuning("fine-tuning BERT-base, 128 rows of GLUE-like lengths", BASE, 128),
    "finetune-minilm": finetuning("fine-tuning MiniLM, 256 rows of GLUE-like lengths", MINILM, 256),
    "mixed": Measure(
        "MLM, BERT-base, documents of mixed length, 64 x 512",
        "training",
        {**MLM, "block": 512, "batch": 64, "documents": True},
        {
            **OURS,
            "padded": Side("Trainer, padded to 512", target=3.0, options=PADDED),
            "dynamic": Side("Trainer, dynamic padding"),
        },
    ),
    "eval-mlm": Measure(
        "evaluating MLM, BERT-base, 1,000 blocks of 128",
        "memory",
        {**MLM, "block": 128, "batch": 50, "rows": 1000},
        {"ours": OURS["ours"], "logits": Side("Trainer, accuracy of the logits", target=0.3)},
    ),
    "eval-squad": Measure(
        "evaluating SQuAD, MiniLM, windows of 384",
        "memory",
        {"task": "questions", "batch": 64, "max_length": 384, "stride": 128, "rows": 600},
        {"ours": OURS["ours"], "trainer": Side("Trainer, as in run_qa.py", target=0.3)},
    ),
    "estimate": Measure(
        "estimate beside what is measured", "estimate", {}, {"all": Side("estimate", "estimated")}, limit=150.0
    ),
    "head": Measure("a head over a vocabulary, ways to its loss", "points", {}, {"all": Side("head", "head")}),
    "processes": Measure(
        "MLM, BERT-base, 128 blocks of 128: two processes (gloo) on one GPU",
        "training",
        {**MLM, "block": 128, "batch": 128, "steps": 20},
        {
            "one": Side("1 process of 128", "ours"),
            "ours": Side("2 processes of 64", "processes", options={"batch": 64, "nodes": 2}),
        },
    ),
    "workers-blocks": workers("batches of MLM, BERT-base, 256 x 128, made by", {**MLM, "block": 128, "batch": 256}),
    "workers-rows": workers(
        "batches of MiniLM's rows, 256, made by",
        {"task": "classification", "architecture": MINILM, "batch": 256, "rows": 7328, "max_length": 128},
    ),
}


def settings_of(name: str, side: str, smoke: bool) -> dict[str, Any]:
    """All settings of one side; tiny ones for a smoke run."""
    measure = MEASURES[name]
    found: dict[str, Any] = {"warmup": 12, "steps": None, "seconds": 6.0, "windows": 6, "watched": 4, "arguments": {}}
    found |= {**measure.settings, **measure.sides[side].options}
    found["arguments"] = dict(found["arguments"])
    if smoke:
        if "architecture" in found:
            found["architecture"] = dict(TINY[found["architecture"]["model_type"]])
        sizes = {"block": 32, "batch": 4, "max_length": 32, "stride": 8, "rows": 24}
        found |= {key: size for key, size in sizes.items() if key in found}
        found |= {"steps": 4, "warmup": 2, "windows": 2, "watched": 2}
        if "dataloader_num_workers" in found["arguments"]:
            found["arguments"]["dataloader_num_workers"] = 0
    return found
