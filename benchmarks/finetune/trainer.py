"""The Trainer's side of one run: `python trainer.py SPEC.json`, where the harness says what to do.

Written as `run_glue.py`, `run_ner.py`, `run_qa.py` and `run_swag.py` of transformers do it: `datasets` reads and maps,
the tokenizer truncates, a collator pads each batch to its longest row, `Trainer` evaluates and saves once an epoch and
loads the best weights at the end, and `predict` scores the test rows.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from datasets import Dataset, DatasetDict, load_dataset
from scores import entity_f1, squad_scores
from transformers import AutoTokenizer, DataCollatorWithPadding, Trainer, TrainingArguments, set_seed

BEST, LONGEST_ANSWER = 20, 30  # the defaults of run_qa.py
BEST_EPOCH: dict[str, Any] = {
    "eval_strategy": "epoch",
    "save_strategy": "epoch",
    "save_total_limit": 1,
    "load_best_model_at_end": True,
}
LAST_EPOCH: dict[str, Any] = {"eval_strategy": "no", "save_strategy": "no"}  # the Trainer's own default is the first


def arguments(spec: dict[str, Any]) -> TrainingArguments:
    """What is equal on both sides; the rest are the Trainer's defaults, or make no difference to the result."""
    return TrainingArguments(
        output_dir=spec["folder"],
        num_train_epochs=spec["epochs"],
        learning_rate=spec["learning_rate"],
        per_device_train_batch_size=spec["batch_size"],
        per_device_eval_batch_size=spec["batch_size"],
        warmup_steps=spec["warmup"],  # below 1: a share of all steps
        weight_decay=spec["weight_decay"],
        max_grad_norm=1.0,
        lr_scheduler_type="linear",
        bf16=spec["precision"] == "bf16-mixed",
        fp16=spec["precision"] == "16-mixed",
        use_cpu=not torch.cuda.is_available(),
        seed=spec["seed"],
        **(BEST_EPOCH | {"metric_for_best_model": spec["metrics"][0]} if spec.get("choose", True) else LAST_EPOCH),
        disable_tqdm=True,
        report_to="none",
    )


def load(spec: dict[str, Any], kind: str, **options: Any) -> Any:
    """The backbone with the head that `kind` needs; seeded before, so that the head depends on the seed alone."""
    set_seed(spec["seed"])
    return getattr(transformers, f"AutoModelFor{kind}").from_pretrained(spec["model"], **options)


def train(spec: dict[str, Any], rows: Any, model: Any, tokenizer: Any, collator: Any, measure: Any) -> dict[str, Any]:
    """Trains, chooses the best epoch, and tests once."""
    run = Trainer(
        model,
        arguments(spec),
        train_dataset=rows["train"],
        eval_dataset=rows["validation"],
        processing_class=tokenizer,
        data_collator=collator,
        compute_metrics=measure,
    )
    run.train()
    return result(spec, run, run.predict(rows["test"]).metrics)


def result(spec: dict[str, Any], run: Trainer, metrics: Any) -> dict[str, Any]:
    scores = {name: float(metrics[f"test_{name}"]) for name in spec["metrics"]}
    return {"validation": float(run.state.best_metric or 0.0), "test": scores, "steps": run.state.global_step}


# ---------------------------------------------------------------------- run_glue.py


def classification(spec: dict[str, Any], rows: DatasetDict, tokenizer: Any) -> dict[str, Any]:
    """Texts or pairs of texts with a label, or with a number."""
    from scipy.stats import pearsonr, spearmanr
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    number = spec["kind"] == "regression"
    labels = [] if number else sorted(set(rows["train"]["label"]))

    def encode(batch: dict[str, list[Any]]) -> Any:
        texts = [batch[name] for name in spec["columns"]]
        out = tokenizer(*texts, truncation=True, max_length=spec["max_length"])
        out["label"] = batch["label"] if number else [labels.index(label) for label in batch["label"]]
        return out

    def measure(output: Any) -> dict[str, float]:
        if number:
            found = output.predictions.squeeze(-1)
            return {
                "pearson": pearsonr(found, output.label_ids)[0],
                "spearman": spearmanr(found, output.label_ids)[0],
            }
        gold, found = output.label_ids, output.predictions.argmax(-1)
        scores = {"accuracy": accuracy_score(gold, found), "mcc": matthews_corrcoef(gold, found)}
        return {**scores, "f1_binary": f1_score(gold, found)} if len(labels) == 2 else scores

    encoded = rows.map(encode, batched=True, remove_columns=spec["columns"])
    model = load(spec, "SequenceClassification", num_labels=1 if number else len(labels))
    return train(spec, encoded, model, tokenizer, DataCollatorWithPadding(tokenizer), measure)


# ---------------------------------------------------------------------- run_ner.py


def tokens(spec: dict[str, Any], rows: DatasetDict, tokenizer: Any) -> dict[str, Any]:
    """Words with tags; the first piece of a word carries its tag."""
    from transformers import DataCollatorForTokenClassification

    names = sorted({tag for tags in rows["train"]["tags"] for tag in tags})
    number = {name: i for i, name in enumerate(names)}

    def encode(batch: dict[str, list[Any]]) -> Any:
        out = tokenizer(batch["tokens"], truncation=True, max_length=spec["max_length"], is_split_into_words=True)
        out["labels"] = []
        for i, tags in enumerate(batch["tags"]):
            words = out.word_ids(i)
            begins = [word is not None and word != before for word, before in zip(words, [None, *words], strict=False)]
            # A tag that training never saw cannot be learned; none of these data has one.
            out["labels"].append(
                [number.get(tags[word], -100) if begin else -100 for word, begin in zip(words, begins, strict=True)]
            )
        return out

    def measure(output: Any) -> dict[str, float]:
        found = output.predictions.argmax(-1)
        pairs = list(zip(output.label_ids, found, strict=True))
        golds = [[names[g] for g in row[row != -100]] for row, _ in pairs]
        guesses = [[names[f] for f in guess[row != -100]] for row, guess in pairs]
        try:
            from seqeval.metrics import f1_score
            from seqeval.scheme import IOB2
        except ImportError:
            return {"f1": entity_f1(golds, guesses)}
        return {"f1": f1_score(golds, guesses, mode="strict", scheme=IOB2)}

    encoded = rows.map(encode, batched=True, remove_columns=["tokens", "tags"])
    model = load(spec, "TokenClassification", id2label=dict(enumerate(names)), label2id=number)
    return train(spec, encoded, model, tokenizer, DataCollatorForTokenClassification(tokenizer), measure)


# ---------------------------------------------------------------------- run_swag.py


def choice(spec: dict[str, Any], rows: DatasetDict, tokenizer: Any) -> dict[str, Any]:
    """A context with endings."""
    from transformers import DataCollatorForMultipleChoice

    context, endings = spec["columns"]

    def encode(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        counts = [len(several) for several in batch[endings]]
        first = [text for text, count in zip(batch[context], counts, strict=True) for _ in range(count)]
        second = [ending for several in batch[endings] for ending in several]
        flat = tokenizer(first, second, truncation=True, max_length=spec["max_length"])
        ends = np.cumsum(counts).tolist()
        cut = {key: [flat[key][end - n : end] for end, n in zip(ends, counts, strict=True)] for key in flat}
        return {**cut, "labels": batch["label"]}

    def measure(output: Any) -> dict[str, float]:
        return {"accuracy": float((output.predictions.argmax(-1) == output.label_ids).mean())}

    encoded = rows.map(encode, batched=True, remove_columns=rows["train"].column_names)
    model = load(spec, "MultipleChoice")
    return train(spec, encoded, model, tokenizer, DataCollatorForMultipleChoice(tokenizer), measure)


# ---------------------------------------------------------------------- run_qa.py


def windows(tokenizer: Any, batch: dict[str, list[Any]], length: int, stride: int) -> Any:
    """Each question with its context, in windows that overlap."""
    return tokenizer(
        [question.lstrip() for question in batch["question"]],
        batch["context"],
        truncation="only_second",
        max_length=length,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )


def evaluation_windows(tokenizer: Any, batch: dict[str, list[Any]], length: int, stride: int) -> Any:
    """The windows, with the question that each is of and where the tokens of the context are."""
    out = windows(tokenizer, batch, length, stride)
    out["example_id"] = [batch["id"][row] for row in out.pop("overflow_to_sample_mapping")]
    out["offset_mapping"] = [
        [place if of == 1 else None for place, of in zip(offsets, out.sequence_ids(i), strict=True)]
        for i, offsets in enumerate(out["offset_mapping"])
    ]
    return out


def questions(spec: dict[str, Any], rows: DatasetDict, tokenizer: Any) -> dict[str, Any]:
    """Questions with the span of the context that answers them; long contexts in windows."""

    def to_train(batch: dict[str, list[Any]]) -> Any:
        out = windows(tokenizer, batch, spec["max_length"], spec["stride"])
        starts, ends = [], []
        for i, (row, offsets) in enumerate(
            zip(out.pop("overflow_to_sample_mapping"), out["offset_mapping"], strict=True)
        ):
            span = answer_span(offsets, out.sequence_ids(i), batch["answers"][row])
            starts.append(span[0])
            ends.append(span[1])
        del out["offset_mapping"]
        return {**out, "start_positions": starts, "end_positions": ends}

    def to_evaluate(batch: dict[str, list[Any]]) -> Any:
        return evaluation_windows(tokenizer, batch, spec["max_length"], spec["stride"])

    columns = rows["train"].column_names
    encoded = {
        part: rows[part].map(to_evaluate, batched=True, remove_columns=columns) for part in ("validation", "test")
    }
    encoded["train"] = rows["train"].map(to_train, batched=True, remove_columns=columns)
    run = QuestionAnsweringTrainer(
        load(spec, "QuestionAnswering"),
        arguments(spec),
        train_dataset=encoded["train"],
        eval_dataset=encoded["validation"],
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
    )
    run.parts = {"eval": (rows["validation"], encoded["validation"]), "test": (rows["test"], encoded["test"])}
    run.train()
    return result(spec, run, run.predict(encoded["test"]).metrics)


def answer_span(offsets: list[Any], sequence: list[int | None], answers: dict[str, list[Any]]) -> tuple[int, int]:
    """The tokens of the first answer in a window; the first token, [CLS], where the window does not hold it whole."""
    if not answers["text"]:
        return 0, 0
    begin = answers["answer_start"][0]
    end = begin + len(answers["text"][0])
    inside = [i for i, of in enumerate(sequence) if of == 1]
    if not inside or offsets[inside[0]][0] > begin or offsets[inside[-1]][1] < end:
        return 0, 0
    first = max(i for i in inside if offsets[i][0] <= begin)
    last = min(i for i in inside if offsets[i][1] >= end)
    return first, last


class QuestionAnsweringTrainer(Trainer):
    """Scores answers, not positions, as the class of this name in the examples does."""

    parts: dict[str, tuple[Dataset, Dataset]]

    def evaluation_loop(
        self,
        dataloader: Any,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> Any:
        # The positions are no labels here, so that Trainer would not call compute_metrics.
        output: Any = super().evaluation_loop(dataloader, description, False, ignore_keys, metric_key_prefix)
        rows, encoded = self.parts[metric_key_prefix]
        found = best_answers(rows, encoded, *output.predictions[:2])
        golds = {row["id"]: row["answers"]["text"] for row in rows}
        output.metrics.update({f"{metric_key_prefix}_{k}": v for k, v in squad_scores(found, golds).items()})
        return output


def best_answers(rows: Dataset, encoded: Dataset, starts: np.ndarray, ends: np.ndarray) -> dict[str, str]:
    """The best span of each question over its windows, out of the likeliest starts and ends of each."""
    contexts = dict(zip(rows["id"], rows["context"], strict=True))
    best: dict[str, tuple[float, str]] = {}
    windows = zip(encoded["example_id"], encoded["offset_mapping"], starts, ends, strict=True)
    for question, offsets, start_logits, end_logits in windows:
        for start in np.argsort(start_logits)[: -BEST - 1 : -1].tolist():
            for end in np.argsort(end_logits)[: -BEST - 1 : -1].tolist():
                # Rows of other batches are longer: what lies beyond this one's end is padding.
                if max(start, end) >= len(offsets) or offsets[start] is None or offsets[end] is None:
                    continue
                if not start <= end < start + LONGEST_ANSWER:
                    continue
                score = float(start_logits[start] + end_logits[end])
                if question not in best or score > best[question][0]:
                    best[question] = score, contexts[question][offsets[start][0] : offsets[end][1]]
    return {question: best[question][1] if question in best else "" for question in contexts}


KINDS = {
    "classification": classification,
    "regression": classification,
    "tokens": tokens,
    "choice": choice,
    "questions": questions,
}


def run(spec: dict[str, Any]) -> dict[str, Any]:
    """One run, from files to scores."""
    rows = load_dataset("json", data_files=spec["files"], cache_dir=f"{spec['folder']}/cache")
    assert isinstance(rows, DatasetDict)
    return KINDS[spec["kind"]](spec, rows, AutoTokenizer.from_pretrained(spec["model"]))


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    Path(given["result"]).write_text(json.dumps(run(given)))
