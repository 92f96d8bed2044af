"""Warnings of texts on both sides and of labels on one."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests_support import WORDS, sentence

from pretune.datamodules import (
    InstructionDataModule,
    MultipleChoiceDataModule,
    QuestionAnsweringDataModule,
    SequenceToSequenceDataModule,
    TextClassificationDataModule,
    TokenClassificationDataModule,
)
from pretune.datamodules.batching.token_rows import RowWriter, TokenRows
from pretune.datamodules.tables import leakage
from pretune.datamodules.tables.leakage import SplitExamples, fingerprints, warn_of_shared_texts
from pretune.storage.cache import default_cache
from pretune.text.findings import Findings


def said(action: Callable[[], Any]) -> list[str]:
    """The warnings of something."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        action()
    return [str(w.message) for w in caught if " rows (" in str(w.message) or " 0 times in " in str(w.message)]


def fitted(data: Any) -> list[str]:
    """The warnings of preparing a datamodule for training."""

    def prepare() -> None:
        data.prepare_data()
        data.setup("fit")

    return said(prepare)


def table(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return str(path)


# ---------------------------------------------------------------------- hashes


@pytest.fixture
def written(tmp_path: Path) -> Callable[[list[list[list[int]]]], TokenRows]:
    """Rows of tokens of examples, as a datamodule stores them."""

    def write(examples: list[list[list[int]]]) -> TokenRows:
        folder = tmp_path / f"rows{len(list(tmp_path.glob('rows*')))}"
        folder.mkdir()
        writer = RowWriter(folder)
        writer.write(
            [{"where": str(i)} for i in range(len(examples))], [[{"input_ids": r} for r in e] for e in examples]
        )
        writer.close(Findings())
        return TokenRows(folder)

    return write


@pytest.mark.parametrize("at_once", [1, 2, 1000])
def test_fingerprints(written: Any, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Equal exactly where all tokens are, in their order, wherever an example lies and however many rows it has."""
    monkeypatch.setattr(leakage, "TOKENS_AT_ONCE", at_once)
    examples = [
        [[1, 2, 3]],
        [[3, 2, 1]],
        [],
        [[1, 2, 3]],
        [[1, 2], [3, 9]],
        [[1, 2, 3, 0]],
        [[0, 1, 2, 3]],
        [[1, 2], [3, 9]],
    ]
    found = fingerprints(written(examples))
    assert found.dtype == np.uint64
    assert found[2] == 0
    assert found[0] == found[3]
    assert found[4] == found[7]
    assert len(set(found.tolist())) == 6
    assert (fingerprints(written(examples[::-1])) == found[::-1]).all()


def test_many_hashes_differ(written: Any) -> None:
    """All 10,000 pairs of a hundred tokens, which a weaker sum would confuse."""
    rows = written([[[a, b]] for a in range(100) for b in range(100)])
    assert len(set(fingerprints(rows).tolist())) == 10_000


def test_examples_without_tokens_are_not_alike(written: Any) -> None:
    """Such as conversations whose answers were all cut off."""
    train, other = written([[[1]], [], []]), written([[], [[2]], []])
    parts = SplitExamples(train, np.arange(3)), SplitExamples(other, np.arange(3))
    assert said(lambda: warn_of_shared_texts(*parts, "validation")) == []


# ---------------------------------------------------------------------- texts


def reviews(path: Path, numbers: list[int], label: Callable[[int], str] = lambda i: "ab"[i % 2]) -> str:
    """A table of sentences by number; those below 400 differ."""
    return table(
        path, [{"text": f"{sentence(i, 9)} {WORDS[i % 20]} {WORDS[i // 20]}", "label": label(i)} for i in numbers]
    )


def test_shared_texts(tmp_path: Path, tokenizer_folder: Path) -> None:
    """They are counted; the first is named; what the tokenizer does not see, such as spaces, makes no difference."""
    train = reviews(tmp_path / "train.jsonl", list(range(40)))
    validation = Path(reviews(tmp_path / "validation.jsonl", [*range(100, 130), 3, 5, 3, *range(130, 135)]))
    validation.write_text(validation.read_text().replace('{"text": "', '{"text": "  ', 31))
    options: dict[str, Any] = {"tokenizer": str(tokenizer_folder)}
    data = TextClassificationDataModule(train, validation_files=str(validation), **options)
    (message,) = fitted(data)
    assert message == (
        "3 of 38 validation rows (7.9%) are also in train: scores will flatter. "
        f"The first is {validation}:31; take such rows out of one side."
    )
    apart = reviews(tmp_path / "apart.jsonl", list(range(100, 130)))
    assert fitted(TextClassificationDataModule(train, validation_files=apart, **options)) == []


def test_copies_that_are_held_out(tmp_path: Path, tokenizer_folder: Path) -> None:
    """A file that holds each row twice is held out from itself."""
    train = reviews(tmp_path / "train.jsonl", [*range(40), *range(40)])
    data = TextClassificationDataModule(train, validation_fraction=0.25, tokenizer=str(tokenizer_folder))
    (message,) = fitted(data)
    parts = [
        {data.examples("train")[int(i)]["texts"][0] for i in data._parts[s].examples} for s in ("train", "validation")
    ]
    held = data._parts["validation"].examples
    twice = sum(data.examples("train")[int(i)]["texts"][0] in parts[0] for i in held)
    assert 0 < twice < len(held)
    assert message.startswith(f"{twice} of {len(held)} validation rows")


def test_only_what_is_trained_on_counts(tmp_path: Path, tokenizer_folder: Path) -> None:
    """Few labels are drawn; those left out are not in training."""
    both = reviews(tmp_path / "both.jsonl", list(range(40)))
    data = TextClassificationDataModule(
        both, validation_files=both, examples_per_label=5, tokenizer=str(tokenizer_folder)
    )
    (message,) = fitted(data)
    assert message.startswith("10 of 40 validation rows (25.0%)")


def pairs(numbers: list[tuple[int, int]]) -> list[dict[str, Any]]:
    return [{"sentence1": sentence(a, 9), "sentence2": sentence(b, 9), "label": "ab"[a % 2]} for a, b in numbers]


def choices(numbers: list[tuple[int, int]]) -> list[dict[str, Any]]:
    return [{"ctx": sentence(a, 9), "endings": [sentence(b, 5), sentence(b + 1, 5)], "label": 1} for a, b in numbers]


def questions(numbers: list[tuple[int, int]]) -> list[dict[str, Any]]:
    return [
        {
            "id": str(n),
            "context": " ".join(sentence(a + k, 9) for k in range(8)),  # several windows
            "question": sentence(b, 5),
            "answers": {"text": [sentence(a, 9).split()[0]], "answer_start": [0]},
        }
        for n, (a, b) in enumerate(numbers)
    ]


def sources(numbers: list[tuple[int, int]]) -> list[dict[str, Any]]:
    return [{"source": f"{sentence(a, 9)} {sentence(b, 9)}", "target": sentence(b, 4)} for a, b in numbers]


def instructions(numbers: list[tuple[int, int]]) -> list[dict[str, Any]]:
    return [{"instruction": sentence(a, 9), "output": sentence(b, 9)} for a, b in numbers]


def tags(numbers: list[tuple[int, int]]) -> list[dict[str, Any]]:
    words = [f"{sentence(a, 9)} {sentence(b, 9)}".split() for a, b in numbers]
    return [{"tokens": row, "tags": ["O"] * (len(row) - 1) + ["B-X"]} for row in words]


KINDS: list[tuple[Any, Any, dict[str, Any]]] = [
    (TextClassificationDataModule, pairs, {}),
    (MultipleChoiceDataModule, choices, {}),
    (QuestionAnsweringDataModule, questions, {"max_length": 32, "stride": 8, "max_question_length": 10}),
    (SequenceToSequenceDataModule, sources, {"source_column": "source", "target_column": "target"}),
    (InstructionDataModule, instructions, {"chat_template": "plain"}),
    (TokenClassificationDataModule, tags, {"tokens_column": "tokens", "tags_column": "tags"}),
]


@pytest.mark.parametrize(("kind", "rows", "options"), KINDS, ids=[kind.__name__ for kind, _, _ in KINDS])
def test_every_kind(tmp_path: Path, tokenizer_folder: Path, kind: Any, rows: Any, options: dict[str, Any]) -> None:
    """Rows count as a whole: half a pair on both sides is none of them."""
    train = table(tmp_path / "train.jsonl", rows([(i, i + 7) for i in range(20)]))
    validation = table(tmp_path / "validation.jsonl", rows([(i, i + 11) for i in range(15)] + [(4, 11), (9, 16)]))
    data = kind(train, validation_files=validation, tokenizer=str(tokenizer_folder), **options)
    messages = [message for message in fitted(data) if "label" not in message]
    assert [message[:27] for message in messages] == ["2 of 17 validation rows (11"]


# ---------------------------------------------------------------------- labels


def test_missing_labels(tmp_path: Path, tokenizer_folder: Path) -> None:
    """On either side."""
    names = ["bad", "good", "neutral", "odd"]
    train = reviews(tmp_path / "train.jsonl", list(range(40)), lambda i: names[i % 3])
    validation = reviews(tmp_path / "validation.jsonl", list(range(100, 130)), lambda i: [*names[:2], "odd"][i % 3])
    data = TextClassificationDataModule(
        train,
        validation_files=validation,
        label_names={n: n for n in [*names, "unused"]},
        tokenizer=str(tokenizer_folder),
    )
    there, here = fitted(data)
    assert there.startswith(
        "label 'neutral' occurs 0 times in validation (13 times in train): scores say nothing of it"
    )
    assert here.startswith("label 'odd' occurs 0 times in train (10 times in validation): it cannot be learned")


def test_missing_labels_of_several(tmp_path: Path, tokenizer_folder: Path) -> None:
    """Each label of a row counts, and many names are cut short."""
    train = reviews(tmp_path / "train.jsonl", list(range(40)), lambda i: f"a|l{i % 15:02}")
    validation = reviews(tmp_path / "validation.jsonl", list(range(100, 110)), lambda i: "a|l00")
    data = TextClassificationDataModule(
        train, validation_files=validation, label_separator="|", tokenizer=str(tokenizer_folder)
    )
    (message,) = fitted(data)
    assert message.startswith("labels 'l01', 'l02', ")
    assert "'l10' and 4 more occur 0 times in validation (37 times in train)" in message


@pytest.mark.parametrize(
    ("train", "validation", "labels", "held_out", "message"),
    [
        (307, 1, 77, True, "validation has 1 row for 77 labels, train 307: each is 100% of a score, .* a larger"),
        (45, 5, 2, True, "validation has 5 rows, train 45: each is 20% of a score"),
        (900, 19, 0, False, "validation has 19 rows, train 900: each is 5.3% of a score, .*; more of them would"),
        (4800, 1200, 3000, True, "validation has 1,200 rows for 3,000 labels, train 4,800: each is 0.1% of a score"),
        (900, 20, 20, True, None),
        (900, 77, 77, False, None),
    ],
)
def test_few_rows_to_validate_on(train: int, validation: int, labels: int, held_out: bool, message: str | None) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        leakage.warn_of_few_rows(train, validation, labels, held_out)
    assert len(caught) == (message is not None)
    assert message is None or re.match(message, str(caught[0].message))


def test_of_many_labels_with_few_rows_a_tenth_validates_and_the_warning_says_how_many(
    tmp_path: Path, tokenizer_folder: Path
) -> None:
    train = reviews(tmp_path / "train.jsonl", list(range(77 * 4)), lambda i: f"l{i % 77}")
    data = TextClassificationDataModule(train, tokenizer=str(tokenizer_folder))
    data.prepare_data()
    with pytest.warns(UserWarning, match="validation has 31 rows for 77 labels, train 277: "):
        data.setup("fit")
    assert len(data.datasets["validation"]) == 31


def test_numbers_have_no_labels(tmp_path: Path, tokenizer_folder: Path) -> None:
    train = reviews(tmp_path / "train.jsonl", list(range(40)), lambda i: str(i / 8))
    validation = reviews(tmp_path / "validation.jsonl", list(range(100, 110)), lambda i: str(i / 7))
    data = TextClassificationDataModule(train, validation_files=validation, tokenizer=str(tokenizer_folder))
    assert fitted(data) == []
    assert data.problem == "regression"


# ---------------------------------------------------------------------- when


def test_once(tmp_path: Path, encoder: Path, run: Any) -> None:
    """When training begins, and for the test set when that is tested; `validate` and `predict` say nothing."""
    both = reviews(tmp_path / "both.jsonl", list(range(24)))
    test = reviews(tmp_path / "test.jsonl", [*range(100, 118), 3, 4])
    command = [
        "--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule",
        f"--data.train_files={both}", f"--data.validation_files={both}", f"--data.test_files={test}",
        "--data.batch_size=8", "--trainer.max_epochs=1",
    ]  # fmt: skip
    (message,) = said(lambda: run("fit", *command))
    assert message.startswith("24 of 24 validation rows (100.0%)")
    assert said(lambda: run("validate", *command)) == []
    assert said(lambda: run("predict", *command, f"--data.predict_files={test}")) == []
    (message,) = said(lambda: run("test", *command))
    assert message.startswith("2 of 20 test rows (10.0%) are also in train")


def test_what_was_held_out_is_told_apart(tmp_path: Path, encoder: Path, run: Any) -> None:
    """A test on the training file: a quarter of its rows was validated on, and of the rest few were trained on."""
    train = reviews(tmp_path / "train.jsonl", list(range(40)))
    command = [
        "--model=TextClassification", f"--model.backbone={encoder}", "--data=TextClassificationDataModule",
        f"--data.train_files={train}", f"--data.test_files={train}", "--data.batch_size=8",
        "--data.validation_fraction=0.25", "--trainer.max_epochs=1",
    ]  # fmt: skip
    assert said(lambda: run("fit", *command)) == []
    (message,) = said(lambda: run("test", *command))
    assert message.startswith(
        "30 of 40 test rows (75.0%) are also in train, 10 in validation only, held out of train's rows: scores will"
    )
    (message,) = said(lambda: run("test", *command, "--data.examples_per_label=4"))
    assert message.startswith("8 of 40 test rows (20.0%) are also in train, 10 in validation only")
    data = TextClassificationDataModule(
        train, test_files=train, validation_fraction=0.25, tokenizer=str(encoder), cache_dir=default_cache()
    )
    data.setup("test")
    survey = data.survey("test")
    assert survey is not None
    assert [(shared.split, shared.count) for shared in survey.shared] == [("train", 30), ("validation", 10)]


def test_a_test_needs_no_training_files(tmp_path: Path, tokenizer_folder: Path) -> None:
    """Where they are not in the cache, or gone, nothing is read and nothing said."""
    test = reviews(tmp_path / "test.jsonl", list(range(20)))
    for train in (reviews(tmp_path / "train.jsonl", list(range(20))), str(tmp_path / "gone.jsonl")):
        data = TextClassificationDataModule(train, test_files=test, problem="single", tokenizer=str(tokenizer_folder))
        assert said(lambda: data.setup("test")) == []  # noqa: B023


def test_other_processes_say_nothing(tmp_path: Path, tokenizer_folder: Path) -> None:
    both = reviews(tmp_path / "both.jsonl", list(range(24)))
    data = TextClassificationDataModule(both, validation_files=both, tokenizer=str(tokenizer_folder))

    class Second:
        is_global_zero, lightning_module = False, None

        class state:
            fn = None

    data.trainer = Second()  # type: ignore[assignment]
    assert fitted(data) == []
