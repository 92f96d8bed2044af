from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests_support import sentence

from pretune.datamodules import TokenClassificationDataModule
from pretune.errors import InputError
from pretune.text.tokenizer import load_tokenizer
from pretune.text.train_tokenizer import TrainTokenizer, train_tokenizer

ROWS: list[dict[str, Any]] = []
for number in range(12):
    found = sentence(number).split()
    tags = ["O"] * len(found)
    tags[number % 6 : number % 6 + 2] = ["B-A", "I-A"] if number % 2 else ["B-B", "I-B"]
    ROWS.append({"tokens": found, "ner_tags": tags})


def make(tokenizer: str | Path, stage: str = "fit", **options: Any) -> TokenClassificationDataModule:
    options = {"batch_size": 4, "validation_fraction": 0.0, "group_by_length": False, **options}
    data = TokenClassificationDataModule(tokenizer=str(tokenizer), **options)
    data.prepare_data()
    data.setup(stage)
    return data


def write(path: str, rows: list[dict[str, Any]]) -> str:
    Path(path).write_text("\n".join(json.dumps(row) for row in rows))
    return path


@pytest.fixture(params=["wordpiece", "bytelevel", "unigram"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder = tmp_path / request.param
    texts = [sentence(i, 12) for i in range(99)]
    size = {"wordpiece": 60, "bytelevel": 280, "unigram": 50}[request.param]
    train_tokenizer(TrainTokenizer(request.param, size, min_frequency=1), iter(texts), folder)
    return folder


def answers(data: TokenClassificationDataModule, split: str = "train") -> dict[tuple[int, int], str]:
    """The tag that is asked of each word, wherever it stands."""
    found: dict[tuple[int, int], str] = {}
    batch = data.datasets[split][list(range(len(data.datasets[split])))]
    for labels, words, example in zip(batch["labels"], batch["words"], batch["example"], strict=True):
        for label, word in zip(labels.tolist(), words.tolist(), strict=True):
            if word >= 0:
                assert (int(example), word) not in found  # a target once
                found[int(example), word] = (data.labels or [])[label]
    return found


@pytest.mark.parametrize("longest", [64, 12])
@pytest.mark.parametrize("pieces", ["first", "all"])
def test_every_word_is_a_target_once(kind: Path, longest: int, pieces: Any) -> None:
    data = make(kind, train_files=write("r.jsonl", ROWS), max_length=longest, label_pieces=pieces)
    assert data.labels == ["O", "B-A", "I-A", "B-B", "I-B"]
    expected = {(i, w): tag for i, row in enumerate(ROWS) for w, tag in enumerate(row["ner_tags"])}
    assert answers(data) == expected
    batch = data.datasets["train"][list(range(len(data.datasets["train"])))]
    assert batch["input_ids"].shape[1] <= longest
    assert (len(data.datasets["train"]) > 12) == (longest == 12)  # windows
    more = int((batch["labels"] >= 0).sum()) - int((batch["words"] >= 0).sum())
    assert more == 0 if pieces == "first" else more > 0
    tokenizer = load_tokenizer(str(kind))
    if longest == 64:
        whole = tokenizer(" ".join(ROWS[0]["tokens"]))["input_ids"]
        assert batch["input_ids"][0, : len(whole)].tolist() == whole


def test_a_target_has_the_most_context(tokenizer_folder: Path) -> None:
    row = {"tokens": ["film"] * 30, "ner_tags": ["O", "B-A"] * 15}
    data = make(tokenizer_folder, train_files=write("r.jsonl", [row] * 4), max_length=14, stride=4)
    words = data.datasets["train"][[0, 1, 2, 3]]["words"].numpy()
    margins = {int(w): int(min(p - 1, 12 - p)) for line in words for p, w in enumerate(line) if w >= 0}
    assert all(margins[w] >= 1 for w in range(3, 27))
    assert np.unique(words[words >= 0]).tolist() == list(range(30))


def test_other_shapes_of_the_same_data(tokenizer_folder: Path) -> None:
    expected = answers(make(tokenizer_folder, train_files=write("r.jsonl", ROWS)))
    lines = []
    for row in ROWS:
        lines += [f"{w} X {t.replace('B-', 'I-')}" for w, t in zip(row["tokens"], row["ner_tags"], strict=True)]
        lines.append("")
    Path("r.conll").write_text("\n".join(lines))
    conll = make(tokenizer_folder, train_files="r.conll")
    assert conll.scheme == "iob1"
    assert answers(conll) == expected
    names = ["O", "B-B", "I-B", "B-A", "I-A"]
    numbers = [{**row, "ner_tags": [names.index(tag) for tag in row["ner_tags"]]} for row in ROWS]
    numbered = make(tokenizer_folder, train_files=write("n.jsonl", numbers), label_names=names)
    assert numbered.labels == names
    assert answers(numbered) == expected
    spans = []
    for row in ROWS:
        at = row["ner_tags"].index(next(tag for tag in row["ner_tags"] if tag != "O"))
        start = len(" ".join(row["tokens"][:at])) + (at > 0)
        end = len(" ".join(row["tokens"][: at + 2])) - row["tokens"][at + 1].endswith(".")
        text = " ".join(row["tokens"])
        spans.append({"text": text, "entities": [{"start": start, "end": end, "label": row["ner_tags"][at][2:]}]})
    by_character = answers(make(tokenizer_folder, train_files=write("s.jsonl", spans)))
    assert [tag for tag in by_character.values() if tag != "O"] == [tag for tag in expected.values() if tag != "O"]


def test_chinese_characters_are_words(tmp_path: Path) -> None:
    train_tokenizer(
        TrainTokenizer("wordpiece", 80, min_frequency=1), iter(["北京是中国的首都", "我爱 NBA"]), tmp_path / "zh"
    )
    rows = [{"tokens": list("我爱北京"), "ner_tags": ["O", "O", "B-LOC", "I-LOC"]}] * 4
    data = make(tmp_path / "zh", train_files=write("r.jsonl", rows))
    assert data.examples("train")[0]["text"] == "我爱北京"
    assert list(answers(data).values())[:4] == ["O", "O", "B-LOC", "I-LOC"]
    data = make(tmp_path / "zh", "predict", predict_texts=["我爱 NBA北京!"])
    example = data.examples("predict")[0]
    assert [example["text"][s:e] for s, e in example["words"]] == ["我", "爱", "NBA", "北", "京", "!"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ner_tags": ["O"]}, "r.jsonl:3: 9 words in 'tokens', but 1 tags"),
        (
            {"ner_tags": ["I-A", *["O"] * 8]},
            "r.jsonl:3: an illegal tag sequence: 'I-A' .word 1. follows 'the beginning'",
        ),
        ({"ner_tags": [None, *["O"] * 8]}, "r.jsonl:3: word 1 has no tag"),
        ({"tokens": []}, "r.jsonl:3: column 'tokens' holds .., where words should be"),
        ({"tokens": "a film"}, "r.jsonl:3: column 'tokens' holds 'a film'"),
    ],
)
def test_bad_rows(
    change: dict[str, Any], message: str, tokenizer_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{**row} for row in ROWS]
    rows[2] |= change
    write("r.jsonl", rows)
    with pytest.raises(InputError, match=message):
        make(tokenizer_folder, train_files="r.jsonl")
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files="r.jsonl", on_bad_rows="skip")
    assert len(data.datasets["train"]) == 11
    assert "skipped: 1" in caplog.text


@pytest.mark.parametrize(
    ("spans", "message"),
    [
        ([{"start": 0, "end": 99, "label": "A"}], "the span 0 to 99 does not lie in the text"),
        (
            [{"start": 0, "end": 5, "label": "A"}, {"start": 3, "end": 6, "label": "B"}],
            "two spans overlap at character 3",
        ),
        ([{"start": 0, "end": 3, "label": "A", "text": "xyz"}], "says 'xyz', the text has 'the'"),
        ([{"begin": 0}], "has no start, end and label"),
        ("A", "the spans are 'A'"),
    ],
)
def test_bad_spans(spans: Any, message: str, tokenizer_folder: Path) -> None:
    with pytest.raises(InputError, match=f"r.jsonl:1: .*{message}"):
        make(tokenizer_folder, train_files=write("r.jsonl", [{"text": "the film ends", "entities": spans}]))


def test_a_tag_that_training_never_had(tokenizer_folder: Path) -> None:
    new = [{"tokens": ["film"], "ner_tags": ["B-C"]}]
    with pytest.raises(InputError, match=r"v.jsonl:1: the label 'B-C' is not among the known ones \(O, B-A"):
        make(tokenizer_folder, train_files=write("r.jsonl", ROWS), validation_files=write("v.jsonl", new))


def conll(rows: list[list[tuple[str, str]]], path: str = "t.conll") -> str:
    Path(path).write_text("\n\n".join("\n".join(f"{word} {tag}" for word, tag in row) for row in rows) + "\n")
    return path


TAGGED = [[("Tom", "B-PER"), ("Brown", "I-PER"), ("lives", "O"), (f"{i}", "O")] for i in range(30)]


def test_one_slip_is_told_with_its_line_and_changes_nothing(
    tokenizer_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [*TAGGED[:10], [("Tom", "B-PER"), ("lives", "0")], *TAGGED]
    with pytest.raises(InputError, match=r"t.conll:52: the tag '0' .word 2.*did you mean 'O'.*on_bad_rows: skip"):
        make(tokenizer_folder, train_files=conll(rows))
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files="t.conll", on_bad_rows="skip")
    assert data.labels == ["O", "B-PER", "I-PER"]
    assert "train: 40 rows; entities: PER;" in caplog.text
    assert "skipped: 1 that cannot be used, the first: t.conll:52" in caplog.text


def test_a_kind_that_is_nearly_another(tokenizer_folder: Path) -> None:
    rows = [*TAGGED, *TAGGED, [("Rome", "B-LOC")], [("Tom", "B-PRE")]]
    with pytest.warns(UserWarning, match="t.conll:303: the kind 'PRE' occurs 1 time in all, 'PER' 60 times") as told:
        make(tokenizer_folder, train_files=conll(rows))
    assert not [warning for warning in told if "'LOC'" in str(warning.message)]


def test_no_break_spaces_belong_to_words(tokenizer_folder: Path) -> None:
    data = make(
        tokenizer_folder, train_files=conll([*TAGGED, [("10\u00a0000", "O"), ("\u00a0", "O"), ("Tom", "B-PER")]])
    )
    example = data.examples("train")[30]
    assert [example["text"][s:e] for s, e in example["words"]] == ["10\u00a0000", "\u00a0", "Tom"]


def test_parts_of_speech_are_classes(tokenizer_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"tokens": ["the", "old", "old", "film"], "pos_tags": ["DT", "JJ", "JJ", "NN"]}] * 6
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files=write("r.jsonl", rows))
    assert (data.labels, data.tagging, data.scheme) == (["DT", "JJ", "NN"], True, "tags")
    assert "The tags name words, not spans" in caplog.text
    assert "train: 6 rows; tags: DT, JJ, NN" in caplog.text
    assert list(answers(data).values())[:4] == ["DT", "JJ", "JJ", "NN"]
    numbers = [{"tokens": ["the", "film"], "ner_tags": [10, 9]}] * 6
    data = make(tokenizer_folder, train_files=write("n.jsonl", numbers))
    assert (data.labels, data.tagging) == (["9", "10"], True)
    asked = make(tokenizer_folder, train_files=write("r2.jsonl", ROWS), scheme="tags")
    assert (asked.labels, asked.tagging) == (["B-A", "B-B", "I-A", "I-B", "O"], True)


def test_lists_as_a_table_holds_them(tokenizer_folder: Path) -> None:
    expected = answers(make(tokenizer_folder, train_files=write("r.jsonl", ROWS)))
    for path, form in (("json.csv", json.dumps), ("python.csv", str)):
        cells = [f'"{form(row[c])}"' for row in ROWS for c in ("tokens", "ner_tags")]
        cells = [f'"{cell[1:-1].replace(chr(34), chr(34) * 2)}"' for cell in cells]
        lines = [f"{a},{b}" for a, b in zip(cells[::2], cells[1::2], strict=True)]
        Path(path).write_text("\n".join(["tokens,ner_tags", *lines]))
        assert answers(make(tokenizer_folder, train_files=path)) == expected


def test_spans_within_words(tokenizer_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"text": "the film, ends", "entities": [{"start": 4, "end": 7, "label": "A"}]}]
    with caplog.at_level("INFO"):
        data = make(tokenizer_folder, train_files=write("r.jsonl", rows * 4))
    assert data.examples("train")[0]["tags"] == ["O", "B-A", "O", "O"]
    assert "spans that begin or end inside a word, widened to it: 4" in caplog.text
    two = [{"start": 4, "end": 6, "label": "A"}, {"start": 6, "end": 8, "label": "B"}]
    with pytest.raises(InputError, match=r"r.jsonl:1: two spans share the word 'film' \(character 4\)"):
        make(tokenizer_folder, train_files=write("r.jsonl", [{"text": "the film, ends", "entities": two}]))
    blank = [{"text": "the  film", "entities": [{"start": 3, "end": 5, "label": "A"}]}]
    with pytest.raises(InputError, match=r"r.jsonl:1: the span 3 to 5 \('  '\) holds no word"):
        make(tokenizer_folder, train_files=write("r.jsonl", blank))


def test_a_test_does_without_the_training_files(tokenizer_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The scheme of the tags is that of the test files then, which is said; rows read so are kept apart."""
    test = conll(
        [[("Tom", "I-PER"), ("and", "O"), ("Eve", "I-PER"), ("Roe", "I-PER"), ("Ann", "B-PER")]] * 3, "e.conll"
    )
    with caplog.at_level("INFO"):
        data = TokenClassificationDataModule("names.conll", test_files=test, tokenizer=str(tokenizer_folder))
        data.setup("test")
    assert (data.scheme, len(data.datasets["test"])) == ("iob1", 3)
    assert "data.train_files are not there: the scheme of the tags is found in e.conll" in caplog.text
    there = TokenClassificationDataModule(write("names.jsonl", ROWS), test_files=test, tokenizer=str(tokenizer_folder))
    there.load_tokenizer()
    assert there.rows_key("test") != data.rows_key("test")


@pytest.mark.parametrize("on_bad_rows", ["error", "skip"])
def test_a_missing_file_is_no_bad_row(tokenizer_folder: Path, on_bad_rows: str) -> None:
    options: dict[str, Any] = {"tokenizer": str(tokenizer_folder), "on_bad_rows": on_bad_rows}
    with pytest.raises(InputError) as caught:
        TokenClassificationDataModule("names.conll", test_files="e.conll", **options).setup("test")
    assert str(caught.value).startswith("There is no file ")
    assert "on_bad_rows" not in str(caught.value)
    from pretune.datamodules.tables.usable_rows import UsableRows
    from pretune.errors import MissingFileError

    def example(*_: Any) -> dict[str, Any]:
        raise MissingFileError("There is no file names.conll")

    with pytest.raises(MissingFileError, match=r"^There is no file names\.conll$"):
        list(UsableRows([("a:1", {}, None)], example, skip=on_bad_rows == "skip"))
