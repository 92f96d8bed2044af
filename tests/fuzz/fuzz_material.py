"""Small good files of every kind that the suite reads, made by code."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import zstandard
from tests_support import sentence

TEXT = "\n".join([sentence(0), "", sentence(1) + " é 好 👩‍👩‍👧", sentence(2), "", "end"]) + "\n"
ROWS: list[dict[str, Any]] = [{"text": sentence(i), "label": "good" if i % 2 else "bad", "n": i} for i in range(6)]
CSV = "text,label,n\n" + "".join(f'"{row["text"]}, ""so""",{row["label"]},{row["n"]}\n' for row in ROWS)
TSV = "text\tlabel\tn\n" + "".join(f"{row['text']}\t{row['label']}\t{row['n']}\n" for row in ROWS)
CONLL = (
    "-DOCSTART- -X- O\n\n"
    + "the DT O\nold JJ B-MISC\nfilm NN I-MISC\n. . O\n\n# text = x\na DT O\nbook NN B-PER\n\n" * 2
)


def _question(number: int, word: int) -> dict[str, Any]:
    words = sentence(number, 12).split()
    answer = {"text": words[word], "answer_start": len(" ".join(words[:word])) + (word > 0)}
    return {"id": f"q{number}{word}", "question": "is it old?", "answers": [answer], "is_impossible": False}


PARAGRAPHS: list[dict[str, Any]] = [
    {"context": sentence(i, 12), "qas": [_question(i, j) for j in (0, 3)]} for i in range(3)
]
QUESTIONS = {"version": "1", "data": [{"title": "t", "paragraphs": PARAGRAPHS}]}
QA_ROWS: list[dict[str, Any]] = [
    {
        "id": qa["id"],
        "context": p["context"],
        "question": qa["question"],
        "answers": {name: [answer[name] for answer in qa["answers"]] for name in ("text", "answer_start")},
    }
    for p in PARAGRAPHS
    for qa in p["qas"]
]
TAG_ROWS = [
    {"tokens": ["the", "old", "film"], "ner_tags": ["O", "B-MISC", "I-MISC"]},
    {"tokens": ["a"], "ner_tags": ["O"]},
] * 3
SPAN_ROWS = [
    {"text": "the old film ends", "entities": [{"start": 4, "end": 12, "label": "MISC"}]},
    {"text": "a", "entities": []},
] * 3
CHOICE_ROWS = [
    {"context": sentence(i), "endings": [sentence(i, 3), sentence(i + 1, 3)], "label": i % 2} for i in range(6)
]
TRANSLATION_ROWS = [{"source": sentence(i), "target": sentence(i + 1)} for i in range(6)]
NESTED_TRANSLATION_ROWS = [{"translation": {"en": sentence(i), "de": sentence(i + 1)}} for i in range(6)]
INSTRUCTION_ROWS = [
    {"instruction": sentence(i, 4), "input": "", "output": sentence(i, 3), "system": "be brief"} for i in range(6)
]
CHAT_ROWS = [
    {
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": sentence(i, 3)}]},
            {"role": "assistant", "content": sentence(i, 2)},
        ]
    }
    for i in range(4)
] + [{"messages": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}]
MULTI_ROWS = [{"text": sentence(i), "label": ["old", "new"][: i % 3]} for i in range(6)]
NUMBER_ROWS = [{"text": sentence(i), "label": i / 2} for i in range(6)]
PAIR_ROWS = [{"sentence1": sentence(i), "sentence2": sentence(i + 1), "label": i % 2} for i in range(6)]

TASKS: dict[str, tuple[str, list[dict[str, Any]], dict[str, Any]]] = {
    "classes": ("TextClassificationDataModule", ROWS, {"text_column": "text", "label_column": "label"}),
    "pairs": ("TextClassificationDataModule", PAIR_ROWS, {}),
    "several labels": ("TextClassificationDataModule", MULTI_ROWS, {"problem": "multi"}),
    "numbers": ("TextClassificationDataModule", NUMBER_ROWS, {"problem": "regression"}),
    "tags": ("TokenClassificationDataModule", TAG_ROWS, {}),
    "spans": ("TokenClassificationDataModule", SPAN_ROWS, {"spans_column": "entities", "text_column": "text"}),
    "questions": ("QuestionAnsweringDataModule", QA_ROWS, {"stride": 8}),
    "choices": ("MultipleChoiceDataModule", CHOICE_ROWS, {}),
    "translation": ("SequenceToSequenceDataModule", TRANSLATION_ROWS, {"shape": "decoder"}),
    "nested translation": (
        "SequenceToSequenceDataModule", NESTED_TRANSLATION_ROWS,
        {"shape": "decoder", "source_lang": "en", "target_lang": "de"},
    ),
    "instructions": ("InstructionDataModule", INSTRUCTION_ROWS, {}),
    "chat": ("InstructionDataModule", CHAT_ROWS, {}),
    "corpus": ("CorpusDataModule", ROWS, {"block_size": 16}),
    "sentence pairs": ("SentencePairDataModule", ROWS, {"documents": "line"}),
}  # fmt: skip
"""The class, good rows and options of each task."""


def compressed(content: bytes, ending: str) -> bytes:
    """Content as a file of that ending has it."""
    ways = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard.compress, "": bytes}
    return ways[ending](content)


def as_arrow(table: pa.Table, kind: str, **options: Any) -> bytes:
    """A table as a parquet, feather or arrow file, or a stream."""
    out = io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, out, **options)
    elif kind == "feather":
        pyarrow.feather.write_feather(table, out, **options)
    else:
        new = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
        with new(out, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
            writer.write_table(table)
    return out.getvalue()


def table(rows: list[dict[str, Any]] = ROWS) -> pa.Table:
    return pa.Table.from_pylist(rows)


PREDICTIONS: dict[str, list[dict[str, Any]]] = {
    "classes": [
        {"text": sentence(i), "label": "good" if i % 2 else "bad", "prediction": "good" if i % 3 else "bad",
         "probabilities": {"good": 0.75, "bad": 0.25}, "correct": bool(i % 2)} for i in range(6)
    ],
    "tags": [{**row, "prediction": row["ner_tags"], "entities": []} for row in TAG_ROWS],
    "questions": [{**row, "prediction": row["answers"]["text"][0], "score": 0.5} for row in QA_ROWS],
    "numbers": [{**row, "prediction": row["label"] + 0.5} for row in NUMBER_ROWS],
    "several labels": [{**row, "prediction": row["label"][:1]} for row in MULTI_ROWS],
}  # fmt: skip


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    """Rows as a table, lists and objects as JSON."""
    import csv

    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows({k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in row.items()} for row in rows)
    return out.getvalue().encode()


CONFIG: dict[str, Any] = {
    "model": {
        "class_path": "TextClassification",
        "init_args": {
            "backbone": {
                "config": {
                    "model_type": "bert", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
                    "intermediate_size": 8, "max_position_embeddings": 32,
                }
            },
            "learning_rate": 1e-3,
        },
    },
    "data": {
        "class_path": "TextClassificationDataModule",
        "init_args": {
            "train_files": "a.csv", "text_column": "text", "label_column": "label",
            "tokenizer": {"train": "wordpiece", "vocab_size": 100}, "batch_size": 4, "num_workers": 0,
            "validation_fraction": 0.3,
        },
    },
    "trainer": {"max_steps": 2, "accelerator": "cpu", "enable_progress_bar": False, "precision": "32-true"},
}  # fmt: skip
