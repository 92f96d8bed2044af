from __future__ import annotations

import json
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests_support import sentence

from pretune.datamodules import TextClassificationDataModule
from pretune.datamodules.tables.labels import LabelNames
from pretune.errors import InputError
from pretune.text.splitting import draw, hold_out

PAIRS = [{"premise": sentence(i), "hypothesis": sentence(i + 1), "label": i % 3} for i in range(30)]


def make(tokenizer_folder: Path, stage: str = "fit", **options: Any) -> TextClassificationDataModule:
    data = TextClassificationDataModule(tokenizer=str(tokenizer_folder), **{"batch_size": 4, **options})
    data.prepare_data()
    data.setup(stage)
    return data


def write(path: str, rows: list[dict[str, Any]]) -> str:
    Path(path).write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_rows_become_padded_batches(reviews: Path, tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, train_files=str(reviews), validation_fraction=0.25)
    assert data.labels == ["negative", "positive"]
    assert data.label_counts == [30, 30]
    rows = [line.split(",") for line in reviews.read_text().splitlines()[1:]]
    expected = Counter((text, label) for text, label in rows)
    found: Counter[tuple[str, str]] = Counter()
    for loader in (data.train_dataloader(), data.val_dataloader()):
        for batch in loader:
            assert {k: v.dtype for k, v in batch.items()} == dict.fromkeys(
                ("input_ids", "attention_mask", "token_type_ids", "labels"), torch.int64
            )
            assert batch["input_ids"].shape[1] == batch["attention_mask"].sum(1).max()
            for ids, label in zip(batch["input_ids"], batch["labels"], strict=True):
                found[data.tokenizer.decode(ids, skip_special_tokens=True).replace(" .", "."), data.labels[label]] += 1
    assert found == expected


def test_tokens_are_those_of_the_tokenizer_alone(tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, train_files=write("p.jsonl", PAIRS), max_length=20, validation_fraction=0.0)
    assert data.labels == ["0", "1", "2"]
    batches = data.datasets["train"]
    for i, row in enumerate(PAIRS):
        plain = data.tokenizer(row["premise"], row["hypothesis"], truncation=True, max_length=20)
        batch = batches[[i]]
        assert batch["input_ids"][0].tolist() == plain["input_ids"]
        assert batch["token_type_ids"][0].tolist() == plain["token_type_ids"]


def test_truncation_is_counted(tokenizer_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        make(tokenizer_folder, train_files=write("p.jsonl", PAIRS), max_length=12)
    assert "train: 27 rows; 0 9 (33%), 1 9 (33%), 2 9 (33%); truncated to 12 tokens: 27 of 27." in caplog.text
    assert "truncated to 12 tokens: 3 of 3." in caplog.text
    assert "Columns: text 'premise' and 'hypothesis', label 'label'" in caplog.text


def test_held_out_rows_keep_the_shares_of_the_labels(tokenizer_folder: Path) -> None:
    rows = [{"text": sentence(i), "label": "rare" if i % 10 == 0 else "often"} for i in range(100)]
    data = make(tokenizer_folder, train_files=write("r.jsonl", rows), validation_fraction=0.2)
    labels = data.datasets["validation"].columns["labels"].tolist()
    assert Counter(labels) == {data.labels.index("often"): 18, data.labels.index("rare"): 2}  # type: ignore[union-attr]
    assert len(data.datasets["train"]) == 80
    assert not set(data.datasets["train"].picked) & set(data.datasets["validation"].picked)


def test_few_labels_are_drawn_by_seed(tokenizer_folder: Path) -> None:
    write("p.jsonl", PAIRS)
    draws = []
    for seed in (0, 0, 1):
        data = make(tokenizer_folder, train_files="p.jsonl", examples_per_label=2, seed=seed, validation_fraction=0.0)
        assert data.label_counts == [2, 2, 2]
        draws.append(data.datasets["train"].picked.tolist())
    assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize("names", [{"0": "no", "1": "perhaps", "2": "yes"}, ["no", "perhaps", "yes"]])
def test_labels_can_be_named(names: Any, tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, train_files=write("p.jsonl", PAIRS), label_names=names, validation_fraction=0.0)
    assert data.labels == ["no", "perhaps", "yes"]
    assert data.datasets["train"].columns["labels"].tolist() == [row["label"] for row in PAIRS]


def test_numbers_sort_as_numbers_and_floats_of_pandas_are_integers(tokenizer_folder: Path) -> None:
    rows = [{"text": sentence(i), "label": float(i % 12)} for i in range(48)]
    data = make(tokenizer_folder, train_files=write("r.jsonl", rows))
    assert data.labels == [str(i) for i in range(12)]


def test_the_hubs_class_names(tokenizer_folder: Path, tmp_path: Path) -> None:
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    rows = {"text": [sentence(i) for i in range(20)], "label": [i % 2 for i in range(20)]}
    hub = datasets.DatasetDict(
        {"train": datasets.Dataset.from_dict(rows, features), "dev": datasets.Dataset.from_dict(rows, features)}
    )
    hub.save_to_disk(str(tmp_path / "set"))
    data = make(tokenizer_folder, dataset="set")
    assert data.labels == ["neg", "pos"]
    assert len(data.datasets["validation"]) == 20


def test_texts_of_the_command_line(tokenizer_folder: Path) -> None:
    data = make(tokenizer_folder, "predict", predict_texts="a good film")
    assert data.predict_rows == [{"text": "a good film"}]
    data = make(tokenizer_folder, "predict", predict_texts=[["a film", "a book"], ["a", "b"]])
    batch = next(iter(data.predict_dataloader()))
    assert batch["index"].tolist() == [0, 1]
    assert batch["token_type_ids"].any()


def bad(**change: Any) -> list[dict[str, Any]]:
    rows = [{"text": sentence(i), "label": "ab"[i % 2]} for i in range(12)]
    rows[4] |= change
    return rows


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": "  "}, "r.jsonl:5: the text in column 'text' is '  '"),
        ({"text": ""}, "r.jsonl:5: the text in column 'text' is empty"),
        ({"text": None}, "r.jsonl:5: the text in column 'text' is empty"),
        ({"label": None}, "r.jsonl:5: there is no label in column 'label'"),
        ({"label": float("nan")}, "r.jsonl:5: there is no label in column 'label'"),
        ({"label": " "}, "r.jsonl:5: there is no label"),
        ({"label": 0.5}, "r.jsonl:5: the label 0.5 .* neither a word nor an integer"),
    ],
)
def test_bad_rows(
    change: dict[str, Any], message: str, tokenizer_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write("r.jsonl", bad(**change))
    with pytest.raises(InputError, match=message + ".*data.on_bad_rows: skip"):
        make(tokenizer_folder, train_files="r.jsonl")
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files="r.jsonl", on_bad_rows="skip", validation_fraction=0.0)
    assert len(data.datasets["train"]) == 11
    assert "skipped: 1 that cannot be used" in caplog.text


def test_dead_ends(tokenizer_folder: Path) -> None:
    write("r.jsonl", bad())
    with pytest.raises(
        InputError, match=r"r.jsonl:1: there is no column 'txt' \(did you mean 'text'\?\); there are: text, label"
    ):
        make(tokenizer_folder, train_files="r.jsonl", text_column="txt")
    write("odd.jsonl", [{"body": "x", "y": 1}])
    with pytest.raises(InputError, match=r"Set data.text_column to one of: body, y"):
        make(tokenizer_folder, train_files="odd.jsonl")
    write("one.jsonl", [{"text": sentence(i), "label": "a"} for i in range(9)])
    with pytest.raises(InputError, match=r"one class only.*'a'"):
        make(tokenizer_folder, train_files="one.jsonl")
    write("new.jsonl", [{"text": "a film", "label": "a"}, {"text": "a book", "label": "c"}])
    with pytest.raises(
        InputError, match=r"new.jsonl:2: the label 'c' is not among the known ones \(a, b\); training never had"
    ):
        make(tokenizer_folder, train_files="r.jsonl", validation_files="new.jsonl")
    with pytest.raises(InputError, match="nothing to test on"):
        make(tokenizer_folder, "test", train_files="r.jsonl")
    with pytest.raises(InputError, match="nothing to predict"):
        make(tokenizer_folder, "predict", train_files="r.jsonl")


def test_the_problem_is_found_in_the_data(tokenizer_folder: Path) -> None:
    def found(labels: list[Any], **options: Any) -> TextClassificationDataModule:
        rows = [{"text": sentence(i), "label": label} for i, label in enumerate(labels)]
        return make(tokenizer_folder, train_files=write("p.jsonl", rows), validation_fraction=0.0, **options)

    assert found([0, 1, 2, 0, 1, 2]).problem == "single"
    numbers = found([0, 0.5, 2, 1.5, 1, 2])
    assert numbers.problem == "regression"
    batch = numbers.datasets["train"][[1, 2]]
    assert batch["labels"].tolist() == [0.5, 2.0]
    assert batch["labels"].dtype == torch.float32
    as_numbers = found([0, 1, 2, 0, 1, 2], problem="regression")
    assert as_numbers.datasets["train"].columns["labels"].tolist() == [0, 1, 2, 0, 1, 2]
    several = found([["a", "c"], [], ["b"], ["c"], ["a"], ["a", "b"]])
    assert (several.problem, several.labels) == ("multi", ["a", "b", "c"])
    assert several.label_counts == [3, 2, 2]
    assert several.datasets["train"][[0, 1]]["labels"].tolist() == [[1, 0, 1], [0, 0, 0]]
    divided = found(["a|c", "", "b", "c", "a", "b|a"], label_separator="|")
    assert divided.datasets["train"].columns["labels"].tolist() == several.datasets["train"].columns["labels"].tolist()
    with pytest.raises(InputError, match=r"p.jsonl:1: 'a' in column 'label' is not a number"):
        found(["a", "b"], problem="regression")


def test_labels_in_columns_of_their_own(tokenizer_folder: Path) -> None:
    rows = [{"text": sentence(i), "rude": i % 2, "long": int(i > 5)} for i in range(12)]
    options: dict[str, Any] = {"label_column": ["rude", "long"], "validation_fraction": 0.0}
    data = make(tokenizer_folder, train_files=write("p.jsonl", rows), **options)
    assert (data.problem, data.labels) == ("multi", ["rude", "long"])
    assert data.datasets["train"].columns["labels"].tolist() == [[row["rude"], row["long"]] for row in rows]
    rows[3]["rude"] = 7
    with pytest.raises(InputError, match=r"q.jsonl:4: column 'rude' holds 7, where 0 or 1 should be"):
        make(tokenizer_folder, train_files=write("q.jsonl", rows), **options)


def test_splits_in_one_file(tokenizer_folder: Path) -> None:
    rows = [{"text": sentence(i), "label": i % 2, "part": ["train", "Dev", "test"][i % 3]} for i in range(30)]
    data = make(tokenizer_folder, train_files=write("p.jsonl", rows), split_column="part")
    assert [len(data.datasets[split]) for split in ("train", "validation")] == [10, 10]
    data.setup("test")
    assert [data.examples("test")[i]["texts"][0] for i in range(10)] == [row["text"] for row in rows[2::3]]
    rows[4]["part"] = "spare"
    with pytest.raises(InputError, match=r"q.jsonl:5: the split 'spare' in column 'part' is none of: train"):
        make(tokenizer_folder, train_files=write("q.jsonl", rows), split_column="part")
    with pytest.raises(InputError, match="give those, and neither"):
        make(tokenizer_folder, train_files="p.jsonl", test_files="p.jsonl", split_column="part")


def test_the_hubs_order_of_classes(tokenizer_folder: Path, tmp_path: Path) -> None:
    import datasets

    names = ["World", "Sports", "Business"]
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=names)})
    rows = {"text": [sentence(i) for i in range(20)], "label": [i % 3 for i in range(20)]}
    unlabeled = {"text": rows["text"], "label": [-1] * 20}
    hub = {
        "train": datasets.Dataset.from_dict(rows, features),
        "test": datasets.Dataset.from_dict(unlabeled, features),
    }
    datasets.DatasetDict(hub).save_to_disk(str(tmp_path / "set"))
    data = make(tokenizer_folder, dataset="set")
    assert data.labels == names
    with pytest.raises(InputError, match=r"set \(test\) row 0: there is no label in column 'label'"):
        data.setup("test")


def test_a_written_word_is_a_label(tokenizer_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = ["FAVOR", "none", "null", "nan", "NA"]
    lines = [f"{sentence(i)},{names[i % 5]}" for i in range(20)]
    Path("t.csv").write_text("\n".join(["text,label", *lines]))
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files="t.csv")
    assert data.labels == sorted(names)
    assert "Taken as labels, as they are written out, and not as missing ones: 'none' (t.csv:3), 'null'" in caplog.text
    Path("e.csv").write_text("\n".join(["text,label", *lines, "a film,"]))
    with pytest.raises(InputError, match=r"e.csv:22: there is no label in column 'label' .it is ''"):
        make(tokenizer_folder, train_files="e.csv")
    numbers = [f"{sentence(i)},{i % 7}.5" for i in range(20)]
    Path("n.csv").write_text("\n".join(["text,label", *numbers, "a film,nan"]))
    with pytest.raises(InputError, match=r"n.csv:22: 'nan' in column 'label' is not a number"):
        make(tokenizer_folder, train_files="n.csv")


@pytest.mark.parametrize("nothing", [None, "", float("nan")])
def test_nothing_in_a_list_of_labels(nothing: Any, tokenizer_folder: Path) -> None:
    rows = [{"text": sentence(i), "label": ["a", "b"]} for i in range(8)]
    rows[2]["label"] = ["a", nothing]
    with pytest.raises(InputError, match=r"r.jsonl:3: there is no label in the list in column 'label'"):
        make(tokenizer_folder, train_files=write("r.jsonl", rows))


@pytest.mark.parametrize("form", [json.dumps, str])
def test_lists_of_labels_in_a_table(form: Any, tokenizer_folder: Path) -> None:
    cells = [form(labels).replace('"', '""') for labels in (["a", "it's"], [], ["b"], ["a"]) * 4]
    Path("t.csv").write_text("\n".join(["text,label", *[f'{sentence(i)},"{c}"' for i, c in enumerate(cells)]]))
    data = make(tokenizer_folder, train_files="t.csv", validation_fraction=0.0)
    assert (data.problem, data.labels) == ("multi", ["a", "b", "it's"])
    assert data.label_counts == [8, 4, 4]


def test_a_decimal_comma_is_refused(tokenizer_folder: Path) -> None:
    rows = [{"text": sentence(i), "score": f"{i},5"} for i in range(8)]
    with pytest.raises(InputError, match=r"r.jsonl:1: '0,5' in column 'score' is not a number .a decimal comma\? 0.5"):
        make(tokenizer_folder, train_files=write("r.jsonl", rows))
    assert make(tokenizer_folder, train_files="r.jsonl", problem="single").problem == "single"


def test_counts_are_those_of_the_rows_that_are_used(tokenizer_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"text": sentence(i, 20 if i < 15 else 3), "label": i % 2} for i in range(20)]
    options: dict[str, Any] = {"max_length": 12, "validation_fraction": 0.5, "examples_per_label": 2}
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files=write("r.jsonl", rows), **options)
    for split, size in (("train", 4), ("validation", 10)):
        long = sum(len(data.examples(split)[int(i)]["texts"][0]) > 30 for i in data.datasets[split].picked)
        assert f"{split}: {size} rows" in caplog.text
        assert f"truncated to 12 tokens: {long} of {size}." in caplog.text


def test_unknown_tokens_are_told(tokenizer_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"text": f"这部电影很好看 {sentence(i, 2)}", "label": i % 2} for i in range(20)]
    with caplog.at_level("INFO"), pytest.warns(UserWarning, match=r"\d\d% of the tokens of train are unknown"):
        data = make(tokenizer_folder, train_files=write("zh.jsonl", rows))
    batch = data.datasets["train"].rows
    ids = batch.all("input_ids")
    special = {data.tokenizer.cls_token_id, data.tokenizer.sep_token_id}
    share = (ids == data.tokenizer.unk_token_id).sum() / sum(int(i) not in special for i in ids)
    shown = [line.split("; ")[-1] for line in caplog.text.splitlines() if "of the tokens unknown" in line]
    assert all(abs(float(part.split("%")[0]) - 100 * share) < 2 for part in shown)
    caplog.clear()
    with caplog.at_level("INFO"), warnings.catch_warnings():
        warnings.simplefilter("error")
        make(tokenizer_folder, train_files=write("en.jsonl", bad()), validation_fraction=0.0)
    assert "unknown" not in caplog.text


def test_too_large_a_share_held_out(tokenizer_folder: Path) -> None:
    with pytest.raises(InputError, match=r"The train part of .* is empty.*; lower it"):
        make(tokenizer_folder, train_files=write("r.jsonl", bad()), validation_fraction=0.999)


def test_a_hundred_thousand_labels_take_no_square_of_them() -> None:
    """Each is looked up, held out and counted once, and not compared with every other."""
    count = 100_000
    targets = np.repeat(np.arange(count), 2)
    train, held = hold_out(targets, 0.5, 0)
    assert len(train) == len(held) == count
    assert (np.bincount(targets[held]) == 1).all()
    names = [str(i) for i in range(count)]
    table = LabelNames({name: name for name in names}).table(dict.fromkeys(names, "a.csv:1"), names, "train")
    assert (table == np.arange(count)).all()


def test_held_out_rows_are_drawn_label_by_label() -> None:
    labels = np.random.default_rng(0).integers(0, 5, 200)
    rng = np.random.default_rng([7, 1])
    expected = np.zeros(200, bool)
    for label in range(5):
        rows = rng.permutation(np.flatnonzero(labels == label))
        expected[rows[: round(0.3 * len(rows))]] = True
    assert (hold_out(labels, 0.3, 7)[1] == np.flatnonzero(expected)).all()
    rows = np.flatnonzero(labels != 3)
    rng = np.random.default_rng([7, 2])
    drawn = [rng.permutation(rows[labels[rows] == label])[:4] for label in (0, 1, 2, 4)]
    assert (draw(labels, rows, 4, 7) == np.sort(np.concatenate(drawn))).all()


def test_a_row_that_is_no_row(tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pretune.datamodules.batching.portions.LONGEST_ROW", 200)
    rows = [{"text": sentence(i), "label": i % 2} for i in range(10)]
    file = write("long.jsonl", [*rows, {"text": "x" * 300, "label": 1}])
    with pytest.raises(InputError, match=r"long.jsonl:11: a row of 301 characters, where 200 is the most"):
        make(tokenizer_folder, train_files=file)
    data = make(tokenizer_folder, train_files=file, on_bad_rows="skip", validation_fraction=0.0)
    assert len(data.datasets["train"]) == 10


@pytest.mark.parametrize(
    ("name", "bad", "message"),
    [
        ("r.csv", "alone", r"r.csv:12: 1 field, but the header has 2"),
        ("r.csv", "a,b,c", r"r.csv:12: 3 fields, but the header has 2"),
        ("r.tsv", "alone", r"r.tsv:12: 1 field, but the header has 2"),
        ("r.jsonl", '{"text": ', r"r.jsonl:11: not JSON"),
        ("r.jsonl", "[1]", r"r.jsonl:11: a list where an object"),
    ],
)
def test_a_line_that_is_no_row(
    tokenizer_folder: Path, name: str, bad: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    mark = "\t" if name.endswith("tsv") else ","
    rows = [json.dumps({"text": sentence(i), "label": "ab"[i % 2]}) for i in range(10)]
    if not name.endswith("jsonl"):
        rows = [mark.join(("text", "label")), *(mark.join((sentence(i), "ab"[i % 2])) for i in range(10))]
    Path(name).write_text("\n".join([*rows, bad, rows[-1], bad]))
    with pytest.raises(InputError, match=f"{message}.*data.on_bad_rows: skip leaves such rows out"):
        make(tokenizer_folder, train_files=name)
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files=name, on_bad_rows="skip", validation_fraction=0.0)
    assert len(data.datasets["train"]) == 11
    assert "skipped: 2 that cannot be used, the first: " + message in caplog.text
    data.predict_files = name
    with pytest.raises(InputError, match=message):  # each row to predict has its answer
        data.setup("predict")
    Path(name).write_text("\n".join([*(rows[:1] if "text" + mark in rows[0] else []), bad]))
    with pytest.raises(InputError, match="has no usable row"):
        make(tokenizer_folder, train_files=name, on_bad_rows="skip")


def test_a_row_of_no_split_is_a_bad_row(tokenizer_folder: Path) -> None:
    rows = [{"text": sentence(i), "label": i // 2 % 2, "split": ("train", "dev")[i % 2]} for i in range(20)]
    file = write("split.jsonl", [*rows, {"text": "a film", "label": 1, "split": "elsewhere"}])
    with pytest.raises(InputError, match=r"the split .elsewhere. .*on_bad_rows: skip"):
        make(tokenizer_folder, train_files=file, split_column="split")
    data = make(tokenizer_folder, train_files=file, split_column="split", on_bad_rows="skip")
    assert (len(data.datasets["train"]), len(data.datasets["validation"])) == (10, 10)


def test_halves_of_characters_are_no_bar(tokenizer_folder: Path) -> None:
    rows = [{"text": sentence(i) + " \ud83d", "label": f"l{i % 2}\ud83d"} for i in range(10)]
    data = make(tokenizer_folder, train_files=write("half.jsonl", rows), validation_fraction=0.0)
    assert data.labels == ["l0\ufffd", "l1\ufffd"]
    data.predict_texts = ["a \udce9 film"]
    data.setup("predict")
    assert data.predict_rows == [{"text": "a \ufffd film"}]


def test_a_column_that_holds_no_classes_is_told(tokenizer_folder: Path) -> None:
    rows = [{"text": sentence(i), "label": f"{sentence(i, 4)} {i}", "kind": i % 2} for i in range(40)]
    file = write("rows.jsonl", rows)
    with pytest.warns(UserWarning, match=r"40 of 40 rows have a label of their own in column 'label'"):
        make(tokenizer_folder, train_files=file, validation_fraction=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(tokenizer_folder, train_files=file, label_column="kind", validation_fraction=0.0)
