"""The public data sets that ready configurations name: their columns, labels and splits, with a few hand-made rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value
from tests_support import sentence

CHINESE = "这是一个很好的故事他们在北京看电影书店里有许多新旧小说老师说天气不错明年我们去上海旅行"
NLI = ("entailment", "neutral", "contradiction")
TNEWS_NAMES = ["story", "culture", "entertainment", "sports", "finance", "house", "car", "edu", "tech", "military"]
TNEWS_NAMES += ["travel", "world", "stock", "agriculture", "game"]
TNEWS = [str(n) for n in (*range(100, 105), *range(106, 111), *range(112, 117))]


def chinese(number: int, length: int = 12) -> str:
    return "".join(CHINESE[(number * 7 + i * i) % len(CHINESE)] for i in range(length))


@dataclass
class Case:
    """A data set: where it lies, what its rows look like, and what comes of them."""

    at: str
    features: dict[str, Any]
    row: Callable[[int], dict[str, Any]]
    splits: tuple[str, ...] = ("train", "validation", "test")
    hidden: dict[str, Any] | None = None  # what stands in the test split where its answers are not public
    tested: str = "test/accuracy"
    labels: list[str] | None = None  # names in their order, where they are not those of the features
    more: tuple[str, ...] = ()  # options that the tiny model and few rows need
    asked: str | None = None  # what is predicted, where the data set has no test split


def texts(
    at: str, columns: str, kinds: Any, make: Callable[[int], str] = sentence, hide: bool = True, **more: Any
) -> Case:
    """Classification: columns of text, and a label that is a ClassLabel of these names, or of another type."""
    names = columns.split()
    kind = ClassLabel(names=list(kinds)) if isinstance(kinds, tuple | list) else Value(kinds)
    count = len(kinds) if isinstance(kinds, tuple | list) else 11

    def row(i: int) -> dict[str, Any]:
        label: Any = i % count if isinstance(kind, ClassLabel) else i % count / 2
        return {**{name: make(5 * i + k) for k, name in enumerate(names)}, "label": label, "idx": i}

    features = {**{name: Value("string") for name in names}, "label": kind, "idx": Value("int32")}
    return Case(at, features, row, hidden={"label": -1} if hide else None, **more)


def trec(i: int) -> dict[str, Any]:
    kind = ("ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM")[i % 6]
    return {
        "text": sentence(i),
        "label": i % 6,
        "label_text": "...",
        "label_original": f"{kind}:other",
        "label_coarse": i % 6,
        "label_coarse_text": "...",
        "label_coarse_original": kind,
    }


def swag(i: int) -> dict[str, Any]:
    given = {"video-id": f"v{i}", "fold-ind": str(i), "startphrase": sentence(i), "sent1": sentence(i), "sent2": "the"}
    return {**given, "gold-source": "gold", **{f"ending{k}": sentence(i + k, 4) for k in range(4)}, "label": i % 4}


def hellaswag(i: int) -> dict[str, Any]:
    ctx = {"ind": i, "activity_label": "film", "ctx_a": sentence(i), "ctx_b": "the", "ctx": f"{sentence(i)} the"}
    endings = [sentence(i + k, 4) for k in range(4)]
    return {**ctx, "endings": endings, "source_id": "a", "split": "train", "split_type": "b", "label": str(i % 4)}


def c3(i: int) -> dict[str, Any]:
    choices = [chinese(i + k, 3 + k) for k in range(2 + i % 3)]
    lines = [chinese(i), chinese(i + 1)]
    return {"id": i, "context": lines, "question": chinese(i + 2), "choice": choices, "answer": choices[i % 2]}


def squad(i: int, make: Callable[[int], str] = sentence, none: bool = False) -> dict[str, Any]:
    text = make(i) + make(i + 1)
    answers = {"text": [] if none else [text[2:6]], "answer_start": [] if none else [2]}
    return {"id": f"q{i}", "title": "t", "context": text, "question": make(i + 2)[:9], "answers": answers}


def questions(at: str, make: Callable[..., dict[str, Any]], *splits: str) -> Case:
    answers = {"text": List(Value("string")), "answer_start": List(Value("int32"))}
    more = ("--data.stride=8",)
    return Case(at, strings(make(0), answers=answers), make, splits, tested="test/exact_match", more=more)


def names(at: str, kinds: str, make: Callable[[int], list[str]], *splits: str) -> Case:
    tags = ["O", *(f"{prefix}-{kind}" for kind in kinds.split() for prefix in "BI")]

    def row(i: int) -> dict[str, Any]:
        tokens = make(i)
        return {
            "id": str(i),
            "tokens": tokens,
            "ner_tags": [1 + 2 * (i % 3), 2 + 2 * (i % 3), *[0] * (len(tokens) - 2)],
        }

    features = {"id": Value("string"), "tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=tags))}
    return Case(at, features, row, splits, tested="test/f1")


def strings(row: dict[str, Any], **others: Any) -> dict[str, Any]:
    """The features of rows whose columns are strings but for some."""
    return {**{name: Value("string") for name in row}, **others}


MATCHED = ("train", "validation_matched", "validation_mismatched", "test_matched", "test_mismatched")
CASES = {
    "glue/cola": texts("nyu-mll/glue/cola", "sentence", ("unacceptable", "acceptable")),
    "glue/sst2": texts("nyu-mll/glue/sst2", "sentence", ("negative", "positive")),
    "glue/mrpc": texts("nyu-mll/glue/mrpc", "sentence1 sentence2", ("not_equivalent", "equivalent")),
    "glue/stsb": texts("nyu-mll/glue/stsb", "sentence1 sentence2", "float32", labels=["score"]),
    "glue/qqp": texts("nyu-mll/glue/qqp", "question1 question2", ("not_duplicate", "duplicate")),
    "glue/mnli": texts("nyu-mll/glue/mnli", "premise hypothesis", NLI, splits=MATCHED),
    "glue/qnli": texts("nyu-mll/glue/qnli", "question sentence", ("entailment", "not_entailment")),
    "glue/rte": texts("nyu-mll/glue/rte", "sentence1 sentence2", ("entailment", "not_entailment")),
    "glue/wnli": texts("nyu-mll/glue/wnli", "sentence1 sentence2", ("not_entailment", "entailment")),
    "clue/tnews": texts(
        "clue/clue/tnews",
        "sentence",
        TNEWS,
        chinese,
        labels=TNEWS_NAMES,
    ),
    "clue/afqmc": texts("clue/clue/afqmc", "sentence1 sentence2", ("0", "1"), chinese, labels=["different", "same"]),
    "clue/cmnli": texts("clue/clue/cmnli", "sentence1 sentence2", ("neutral", "entailment", "contradiction"), chinese),
    "datasets/imdb": texts(
        "stanfordnlp/imdb", "text", ("neg", "pos"), hide=False, splits=("train", "test", "unsupervised")
    ),
    "datasets/ag_news": texts(
        "fancyzhx/ag_news", "text", ("World", "Sports", "Business", "Sci/Tech"), hide=False, splits=("train", "test")
    ),
    "datasets/trec": Case(
        "SetFit/TREC-QC",
        strings(trec(0), label=Value("int64"), label_coarse=Value("int64")),
        trec,
        ("train", "test"),
        labels=["ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM"],
    ),
    "datasets/swag": Case(
        "allenai/swag/regular", strings(swag(0), label=ClassLabel(names=list("0123"))), swag, hidden={"label": -1}
    ),
    "datasets/hellaswag": Case(
        "Rowan/hellaswag",
        strings(hellaswag(0), ind=Value("int32"), endings=List(Value("string"))),
        hellaswag,
        hidden={"label": ""},
    ),
    "datasets/squad": questions("rajpurkar/squad", squad, "train", "validation"),
    "datasets/squad_v2": questions("rajpurkar/squad_v2", lambda i: squad(i, none=i % 3 == 0), "train", "validation"),
    "clue/c3": Case(
        "clue/clue/c3",
        strings(c3(0), id=Value("int32"), context=List(Value("string")), choice=List(Value("string"))),
        c3,
        hidden={"answer": ""},
    ),
    "clue/cmrc2018": questions(
        "clue/clue/cmrc2018", lambda i: squad(i, chinese), "train", "validation", "trial", "test"
    ),
    "datasets/conll2003": names(
        "tomaarsen/conll2003", "PER ORG LOC MISC", lambda i: sentence(i).split(), "train", "validation", "test"
    ),
    "datasets/msra_ner": names(
        "levow/msra_ner@refs/convert/parquet", "PER ORG LOC", lambda i: list(chinese(i)), "train", "test"
    ),
    "datasets/xsum": Case(
        "EdinburghNLP/xsum@refs/convert/parquet",
        {"document": Value("string"), "summary": Value("string"), "id": Value("string")},
        lambda i: {"document": sentence(i, 20), "summary": sentence(i, 4), "id": str(i)},
        tested="test/rougeLsum",
        more=("--model.generation.max_new_tokens=3",),
    ),
    "datasets/cnn_dailymail": Case(
        "abisee/cnn_dailymail/3.0.0",
        {"article": Value("string"), "highlights": Value("string"), "id": Value("string")},
        lambda i: {"article": sentence(i, 20), "highlights": sentence(i, 4), "id": str(i)},
        tested="test/rougeLsum",
        more=("--model.generation.max_new_tokens=3",),
    ),
    "datasets/alpaca": Case(
        "tatsu-lab/alpaca",
        {"instruction": Value("string"), "input": Value("string"), "output": Value("string"), "text": Value("string")},
        lambda i: {"instruction": sentence(i), "input": "", "output": sentence(i, 4), "text": "..."},
        ("train",),
        tested="",
        more=("--model.generation={max_new_tokens: 3}", "--data.max_length=256", "--data.batch_size=1"),
        asked="--data.predict_texts=a good film",
    ),
    "datasets/chnsenticorp": texts("lansinuote/ChnSentiCorp", "text", ("negative", "positive"), chinese, hide=False),
}


def make(case: Case, rows: int = 24) -> DatasetDict:
    """The rows of each split."""
    parts = {}
    for split in case.splits:
        found = [case.row(i) for i in range(rows)]
        if split.startswith("test") and case.hidden is not None:
            found = [{**row, **case.hidden} for row in found]
        parts[split] = Dataset.from_list(found, features=Features(case.features))
    return DatasetDict(parts)
