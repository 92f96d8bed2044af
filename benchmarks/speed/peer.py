"""The Trainer's side of one run: `python peer.py SPEC.json`, where the harness says what to do.

Written as `run_mlm.py`, `run_clm.py`, `run_glue.py` and `run_qa.py` of transformers do it. Rows are those of
`datasets` where it is installed, else lists.
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
import turn
from clock import LONG, Clock, Measured, clock_of
from peak import Peak
from texts import read
from transformers import (
    AutoConfig,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    default_data_collator,
    set_seed,
)

from pretune.cli.options import default_precision

HEADS = {"mlm": "MaskedLM", "clm": "CausalLM", "classification": "SequenceClassification"}
Columns = dict[str, list[Any]]


class Timed(Trainer):
    """Tells the clock what the step was done on; counting waits for no device."""

    clock: Clock
    latest: tuple[dict[str, Any], Any, Any]

    def training_step(self, model: Any, inputs: Any, *more: Any) -> torch.Tensor:
        kept = dict(inputs)
        loss = super().training_step(model, inputs, *more)
        kept = {key: value.to(loss.device, non_blocking=True) for key, value in kept.items()}
        labels = kept["labels"]
        self.latest = kept, (labels[:, 1:] != -100).sum() if labels.dim() > 1 else 0, loss
        return loss


class StepEnd(TrainerCallback):
    """Where the clock of the Trainer ticks.

    Args:
        trainer: that it ticks for.
    """

    def __init__(self, trainer: Timed) -> None:
        self.trainer = trainer

    def on_step_end(self, *_: Any, **__: Any) -> None:
        batch, targets, loss = self.trainer.latest
        self.trainer.clock.after(self.trainer.model, batch, targets, loss)


def tokenizer_of(spec: dict[str, Any]) -> Any:
    """With padding and truncation left to each call."""
    found = AutoTokenizer.from_pretrained(spec["model"])
    found.backend_tokenizer.no_padding()
    found.backend_tokenizer.no_truncation()
    return found


def network(spec: dict[str, Any], tokenizer: Any) -> Any:
    """The weights that are named, or an architecture from scratch."""
    set_seed(spec["seed"])
    head = HEADS[spec["task"]]
    if not spec.get("architecture"):
        return getattr(transformers, f"AutoModelFor{head}").from_pretrained(spec["model"], num_labels=2)
    # The rows of the table that ours has too: 30,528 for 30,522 words.
    options = {"vocab_size": -(-len(tokenizer) // 64) * 64, **spec["architecture"]}
    config = AutoConfig.for_model(options.pop("model_type"), **options)
    return getattr(transformers, f"AutoModelFor{head}").from_config(config)


def arguments(spec: dict[str, Any]) -> TrainingArguments:
    """What is equal on both sides, and the side's own; the rest are the Trainer's defaults."""
    precision = default_precision() if spec.get("bf16", True) else "32-true"
    return TrainingArguments(
        output_dir=spec["folder"],
        max_steps=LONG,
        per_device_train_batch_size=spec["batch"],
        per_device_eval_batch_size=spec["batch"],
        learning_rate=1e-4,
        weight_decay=0.01,
        max_grad_norm=1.0,
        bf16=precision == "bf16-mixed",
        fp16=precision == "16-mixed",
        torch_compile=bool(spec.get("compile")),
        torch_compile_backend="eager" if spec.get("compile") and turn.is_cheap(spec) else None,
        use_cpu=spec["device"] == "cpu",
        seed=spec["seed"],
        save_strategy="no",
        disable_tqdm=True,
        report_to="none",
        **spec["arguments"],
    )


# ---------------------------------------------------------------------- rows


def as_rows(columns: Columns) -> Any:
    """What the Trainer reads."""
    if find_spec("datasets") is not None:
        from datasets import Dataset

        return Dataset.from_dict(columns)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def language(spec: dict[str, Any], tokenizer: Any) -> Columns:
    """Blocks, or documents a row, as the scripts make them; of copies of a text one is tokenized."""
    path, copies = Path(spec["files"]["train"]), spec["copies"]
    if spec.get("documents"):  # run_mlm --line_by_line
        texts = [row["text"] for row in read(path)]
        texts = texts[: len(texts) // copies]
        padding = "max_length" if spec.get("padding") == "max_length" else False
        encoded = tokenizer(
            texts, truncation=True, max_length=spec["block"], padding=padding, return_special_tokens_mask=True
        )
        return {key: rows * copies for key, rows in encoded.items()}
    texts = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    texts = texts[: len(texts) // copies]
    found = tokenizer(texts, return_special_tokens_mask=spec["task"] == "mlm")
    joined = {key: list(chain.from_iterable(found[key])) for key in found}
    block, total = spec["block"], len(joined["input_ids"]) // spec["block"] * spec["block"]
    columns = {key: [all_[i : i + block] for i in range(0, total, block)] * copies for key, all_ in joined.items()}
    if spec["task"] == "clm":
        columns = {"input_ids": columns["input_ids"], "attention_mask": columns["attention_mask"]}
        columns["labels"] = columns["input_ids"]
    return columns


def labeled(spec: dict[str, Any], tokenizer: Any) -> Columns:
    """Texts with labels, as run_glue.py has them."""
    rows = read(Path(spec["files"]["train"]))
    padding = "max_length" if spec.get("padding") == "max_length" else False
    encoded = tokenizer([r["text"] for r in rows], truncation=True, max_length=spec["max_length"], padding=padding)
    return {**encoded, "label": [row["label"] for row in rows]}


def collator_of(spec: dict[str, Any], tokenizer: Any) -> Any:
    """That of the scripts."""
    if spec["task"] == "mlm":
        return DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)
    if spec["task"] == "clm" or spec.get("padding") == "max_length":
        return default_data_collator
    return DataCollatorWithPadding(tokenizer)


# ---------------------------------------------------------------------- kinds of runs


def training(spec: dict[str, Any]) -> dict[str, Any]:
    """Trains until all is measured."""
    tokenizer = tokenizer_of(spec)
    make = language if spec["task"] in ("mlm", "clm") else labeled
    rows, model = as_rows(make(spec, tokenizer)), network(spec, tokenizer)
    trainer = Timed(
        model,
        arguments(spec),
        train_dataset=rows,
        data_collator=collator_of(spec, tokenizer),
        processing_class=tokenizer,
    )
    dtype = "bfloat16" if trainer.args.bf16 else "float32"
    trainer.clock = clock_of(spec, dtype)
    trainer.add_callback(StepEnd(trainer))
    try:
        trainer.train()
    except Measured as found:
        return found.figures
    raise AssertionError("training ended before all was measured")


def whole(spec: dict[str, Any]) -> dict[str, Any]:
    """run_glue.py with its defaults: padded to 128, batches of 8, 3 epochs, float32, a checkpoint every 500 steps."""
    from datasets import load_dataset
    from transformers import AutoModelForSequenceClassification

    files = spec["files"]
    rows: Any = load_dataset("json", data_files=files, cache_dir=f"{spec['folder']}/cache")
    tokenizer = AutoTokenizer.from_pretrained(spec["model"])
    few: dict[str, Any] = {"max_steps": 4} if spec["smoke"] else {}
    encoded = rows.map(
        lambda batch: tokenizer(batch["sentence"], padding="max_length", max_length=128, truncation=True),
        batched=True,
    )
    model = AutoModelForSequenceClassification.from_pretrained(spec["model"], num_labels=2)
    trainer = Trainer(
        model,
        TrainingArguments(output_dir=f"{spec['folder']}/out", use_cpu=spec["device"] == "cpu", report_to="none", **few),
        train_dataset=encoded["train"],
        eval_dataset=encoded["validation"],
        compute_metrics=lambda out: {"accuracy": float((out.predictions.argmax(-1) == out.label_ids).mean())},
        processing_class=tokenizer,
        data_collator=default_data_collator,
    )
    trainer.train()
    trainer.save_model()
    trainer.evaluate()
    metrics = trainer.predict(encoded["test"]).metrics or {}
    return {"score": metrics["test_accuracy"], "steps": trainer.state.global_step}


def memory(spec: dict[str, Any]) -> dict[str, Any]:
    """Evaluates, with the accuracy that ours gives too."""
    return questions(spec) if spec["task"] == "questions" else masked(spec)


def masked(spec: dict[str, Any]) -> dict[str, Any]:
    """Accuracy on masked tokens, of all logits, or of their argmax."""
    tokenizer = tokenizer_of(spec)
    columns = {key: values[: spec["rows"]] for key, values in language(spec, tokenizer).items()}

    def accuracy(out: Any) -> dict[str, float]:
        found = out.predictions if spec.get("argmax") else out.predictions.argmax(-1)
        hidden = out.label_ids != -100
        return {"accuracy": float((found == out.label_ids)[hidden].mean())}

    trainer = Trainer(
        network(spec, tokenizer),
        arguments(spec),
        eval_dataset=as_rows(columns),
        data_collator=collator_of(spec, tokenizer),
        processing_class=tokenizer,
        compute_metrics=accuracy,
        preprocess_logits_for_metrics=(lambda logits, labels: logits.argmax(-1)) if spec.get("argmax") else None,
    )
    del columns
    peak = Peak()
    metrics = trainer.evaluate()
    return {**peak.figures(), "metrics": metrics, "rows": len(trainer.eval_dataset)}  # type: ignore[arg-type]


def questions(spec: dict[str, Any]) -> dict[str, Any]:
    """As `benchmarks/finetune` does it, after run_qa.py; tokenized before."""
    sys.path.append(str(Path(__file__).resolve().parents[1] / "finetune"))
    from datasets import Dataset
    from trainer import QuestionAnsweringTrainer, evaluation_windows

    set_seed(spec["seed"])
    rows, tokenizer = Dataset.from_list(read(Path(spec["files"]["validation"]))), tokenizer_of(spec)
    encoded = rows.map(
        lambda batch: evaluation_windows(tokenizer, batch, spec["max_length"], spec["stride"]),
        batched=True,
        remove_columns=rows.column_names,
    )
    trainer = QuestionAnsweringTrainer(
        transformers.AutoModelForQuestionAnswering.from_pretrained(spec["model"]),
        arguments(spec),
        eval_dataset=encoded,
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    trainer.parts = {"eval": (rows, encoded)}
    peak = Peak()
    metrics = trainer.evaluate()
    return {**peak.figures(), "metrics": {key: float(np.mean(value)) for key, value in metrics.items()}}


KINDS = {"training": training, "memory": memory, "whole": whole}


def run(spec: dict[str, Any]) -> dict[str, Any]:
    """One run."""
    return KINDS[spec["kind"]](spec)


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    turn.wait_for_turn(given)
    done = run(given)
    Path(given["result"]).write_text(json.dumps(done))
