"""What was found once: each the smallest example of its kind."""

from __future__ import annotations

import json
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import pytest
from fuzz_material import CONFIG, CSV, PREDICTIONS, QA_ROWS, ROWS, as_csv, compressed
from fuzz_mutations import as_lines

from pretune.checkpoints import locate
from pretune.cli.commands.compare import compare
from pretune.cli.commands.search_space import Space
from pretune.cli.loggers import RunCSVLogger, forget_from
from pretune.cli.run_folder import _identity
from pretune.cli.run_lock import writer
from pretune.cli.run_state import state_of
from pretune.datamodules import QuestionAnsweringDataModule
from pretune.datamodules.sources import Hub
from pretune.datamodules.tables.labels import LabelNames
from pretune.errors import LONGEST, InputError
from pretune.modules.backbone.backbone import Backbone
from pretune.modules.tasks.instructions import InstructionTuning
from pretune.storage.cells import listed
from pretune.text import template_limits
from pretune.text.chat import ChatFormat, read_template
from pretune.text.readers import read_rows
from pretune.text.splitting import sort_labels
from pretune.text.tokenizer import load_tokenizer
from pretune.text.words import WordList

DEEP = "[" * 100_000


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.conll"])
def test_a_file_without_the_mark_that_its_encoding_begins_with(name: str) -> None:
    Path(name).write_bytes(b"text,label\nx,y\n")
    with pytest.raises(InputError, match=f"{name} is not utf-16 .*set data.encoding, to utf-8"):
        list(read_rows(name, "utf-16"))


@pytest.mark.parametrize("encoding", ["hex", "rot13", "a\0b", "", "utf-9"])
def test_an_encoding_that_is_none_of_texts(encoding: str) -> None:
    Path("a.csv").write_text("text,label\nx,y\n")
    with pytest.raises(InputError, match="there is no encoding"):
        list(read_rows("a.csv", encoding))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_small_json_takes_little_memory(encoding: str) -> None:
    Path("a.json").write_bytes('[{"text": "x"}]'.encode(encoding))
    tracemalloc.start()
    try:
        list(read_rows("a.json", encoding))
        assert tracemalloc.get_traced_memory()[1] < 200_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("answers", [[12], [None], {"text": ["the", "a"], "answer_start": 0}, {"text": [1]}])
def test_answers_of_another_shape(answers: Any, tokenizer_folder: Path) -> None:
    Path("a.jsonl").write_bytes(as_lines([*QA_ROWS[:2], {**QA_ROWS[2], "answers": answers}]))
    data = QuestionAnsweringDataModule(tokenizer=str(tokenizer_folder), train_files="a.jsonl", stride=8)
    with pytest.raises(InputError, match=r"a.jsonl:3: .*answer"):
        data.prepare_data()


@pytest.mark.parametrize("depth", [200, 900, 100_000])
def test_rows_that_are_nested_deeply(depth: int) -> None:
    nested = "[" * depth + '"\\ud800"' + "]" * depth
    Path("a.jsonl").write_text('{"text": "x"}\n{"text": ' + nested + "}\n")
    Path("a.json").write_text('[{"text": ' + nested + "}]")
    for name, place in (("a.jsonl", "a.jsonl:2"), ("a.json", "a.json")):
        with pytest.raises(InputError, match=f"{place}: nested too deeply"):
            list(read_rows(name))
    assert listed("[" * depth + "]" * depth) == "[" * depth + "]" * depth
    assert listed("[[[1, {'a': [2]}]]]") == [[[1, {"a": [2]}]]]


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
def test_a_broken_file_that_is_not_of_its_encoding_either(ending: str) -> None:
    whole = compressed(b"text\n\xff\n" + b"x\n" * 9000, ending)
    Path(f"a.csv{ending}").write_bytes(whole[:-6])
    with pytest.raises(InputError, match="not a whole compressed file"):
        list(read_rows(f"a.csv{ending}"))


# ---------------------------------------------------------------------- chat templates


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "it calls itself without end"),
        ("{{ " + "[" * 500, "it calls itself without end"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}", "stopped after 0.2 seconds"),
        ("{% for i in range(10 ** 9) %}{% endfor %}", "Range too big"),
        ("{%" + "x" * 9000, "unknown tag"),
    ],
)
def test_templates_that_fail_or_do_not_end(
    template: str, why: str, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(template_limits, "SECONDS", 0.2)
    with pytest.raises(InputError, match=why) as caught:
        ChatFormat(tokenizer, template).render("a.jsonl:1", [{"role": "user", "content": "a"}])
    assert len(str(caught.value)) < LONGEST + 10


def test_templates_that_write_half_a_character(tokenizer: Any) -> None:
    messages = [{"role": "user", "content": "a"}]
    assert ChatFormat(tokenizer, "{{ 'a\ud800' }}").render("a.jsonl:1", messages) == "a\ufffd"


def test_templates_that_cannot_be_had(tokenizer: Any) -> None:
    Path("t.jinja").write_bytes(b"{{ messages }}\xff")
    with pytest.raises(InputError, match=r"t\.jinja:1: byte 14"):
        read_template("t.jinja", tokenizer)
    with pytest.raises(InputError, match="neither Jinja"):
        read_template("x" * 5000, tokenizer)
    tokenizer.chat_template = {"one": "{{ messages }}", "other": "{{ messages }}"}
    with pytest.raises(InputError, match=r"data.chat_template: .*Give one of them"):
        read_template(None, tokenizer)


def test_the_end_of_a_turn_of_a_template_that_wants_a_system_message(tokenizer: Any) -> None:
    tokenizer.chat_template = "{% if messages[0].role != 'system' %}{{ raise_exception('no system') }}{% endif %}"
    module: Any = SimpleNamespace(tokenizer=tokenizer)
    with pytest.warns(UserWarning, match=r"Which token ends an answer is not known.*no system"):
        assert InstructionTuning._end_of_turn(module) is None


# ---------------------------------------------------------------------- tokenizers, backbones, labels


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tokenizer_config.json", {"model_input_names": None}),
        ("tokenizer_config.json", {"more": "\ud800"}),
        ("tokenizer.json", {"added_tokens": [{"id": 0}]}),
        ("tokenizer.json", {"pre_tokenizer": {"type": "Nobody's"}}),
    ],
)
def test_edited_tokenizers(name: str, change: dict[str, Any], tokenizer: Any) -> None:
    tokenizer.save_pretrained("tokenizer")
    path = Path("tokenizer", name)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(InputError, match="No tokenizer can be loaded from 'tokenizer'"):
        load_tokenizer("tokenizer")


def test_edited_configurations_of_networks(encoder: Path) -> None:
    path = encoder / "config.json"
    good = json.loads(path.read_text())
    path.write_text(json.dumps({**good, "hidden_act": ""}))
    with pytest.raises(InputError, match=r"The weights of .* cannot be loaded"):
        Backbone.of(str(encoder)).build("AutoModelForMaskedLM", None)
    path.write_text(json.dumps({**good, "hidden_size": None, "layer_norm_eps": []}))
    with pytest.raises(InputError, match="cannot be loaded"):
        Backbone.of(str(encoder)).load_config()
    assert locate("x" * 5000) == "x" * 5000  # of the hub, which will say so


def test_digits_that_are_no_numbers() -> None:
    assert sort_labels({"²", "½", "1"}) == ["1", "²", "½"]
    assert sort_labels({"--1", "2"}) == ["--1", "2"]
    assert sort_labels({"10", "9", "-1", "01", "1"}) == ["-1", "01", "1", "9", "10"]
    assert sort_labels({"9" * 5000, "1"}) == ["1", "9" * 5000]
    assert LabelNames(["no", "yes"]).rename("²") == "²"


# ---------------------------------------------------------------------- records of runs


@pytest.mark.parametrize("content", [b"", b"\xff\xfe,step\n1,2\n", b"step,a\n1,2,3\n,\n\xb2,1\n", b"\n\n", b'"\0'])
def test_damaged_metrics(content: bytes) -> None:
    path = Path("runs/mine/version_0/metrics.csv")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    forget_from(path, 1)
    logger = RunCSVLogger("runs", "mine", "version_0")
    logger.log_metrics({"train/loss": 0.5}, step=3)
    logger.save()
    assert "0.5" in path.read_text(errors="replace").splitlines()[-1]


def test_damaged_notes() -> None:
    run = Path("run")
    run.mkdir()
    for content in (DEEP, "[1]", '{"fit": 1}', "{", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")):
        for name in ("summary.json", ".writer.json"):
            (run / name).write_text(content, encoding="latin-1")
        assert state_of(run) == {}
        assert writer(run).get("pid") is None
    for content in ("[1]", "model: 3", "model: {init_args: [1]}"):
        (run / "config.yaml").write_text(content)
        assert _identity(run) == [None, None]
    for damaged in (b"\xff", b"{", DEEP.encode(), b"a: 2020-99-99", b"- !!float x"):
        (run / "config.yaml").write_bytes(damaged)
        with pytest.raises(InputError, match=r"config.yaml is not (YAML|a text)"):
            _identity(run)
        with pytest.raises(InputError, match=r"config.yaml is not (YAML|a text)"):
            Space(run / "config.yaml")


# ---------------------------------------------------------------------- compare

GOOD = PREDICTIONS["classes"]


def compared(mine: bytes, theirs: bytes | None = None, name: str = "predictions.jsonl", **options: Any) -> Any:
    for side, content in (("a", mine), ("b", mine if theirs is None else theirs)):
        Path(side).mkdir(exist_ok=True)
        Path(side, name).write_bytes(content)
    return compare("a", "b", **{"resamples": 5, **options})


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (as_lines(GOOD)[:-9], "predictions.jsonl:6 is not JSON"),
        (b"[1]\n", "predictions.jsonl:1 has no prediction"),
        (as_lines([*GOOD, {"label": "good"}]), "predictions.jsonl:7 has no prediction"),
        (as_lines([*GOOD, {"prediction": "good"}]), "Row 7 .* has no 'label'"),
        (b'{"label": "\xff"}', "predictions.jsonl is damaged"),
        (DEEP.encode(), "predictions.jsonl:1 is not JSON .nested too deeply"),
        (as_lines([{"label": 0.5, "prediction": float("nan")}]), "no finite number"),
        (as_lines([{"label": ["<900 levels>"], "prediction": ["a"]}]), "predictions.jsonl:1 is nested too deeply"),
    ],
)
def test_damaged_predictions(content: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why):
        compared(content)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (as_csv(GOOD) + b"a,b\n", "predictions.csv:8: 2 fields, but the header has 5"),
        (b"text,label\nx,y\n", "predictions.csv:2 has no prediction"),
        (b"prediction,label\nx\xff,y\n", "predictions.csv is damaged"),
    ],
)
def test_damaged_tables_of_predictions(content: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why):
        compared(content, name="predictions.csv")


def test_labels_that_only_look_like_lists() -> None:
    rows = [{"label": f"[{i % 2}", "prediction": f"[{i % 3}"} for i in range(6)]
    assert compared(as_lines(rows))["metric"] == "accuracy"


@pytest.mark.parametrize(
    ("rows", "options", "why"),
    [
        (PREDICTIONS["questions"], {"metric": "accuracy"}, "accuracy compares labels, and 'answers' holds answers"),
        (PREDICTIONS["several labels"], {"metric": "exact_match"}, "needs answers as SQuAD has them"),
        (GOOD, {"resamples": 0}, "--resamples is 0"),
        ([{"label": 0.5, "prediction": None}], {}, "no prediction is ever equal"),
        ([{"answers": {"text": "a"}, "prediction": "a"}], {}, "no prediction is ever equal"),
    ],
)
def test_metrics_that_do_not_suit(rows: list[dict[str, Any]], options: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        compared(as_lines(rows), **options)


@pytest.mark.parametrize("content", ["[1]", "data: 3", "data: {init_args: [1]}"])
def test_configurations_of_another_shape(content: str) -> None:
    Path("a/export").mkdir(parents=True)
    Path("a/config.yaml").write_text(content)
    Path("a/export/config.json").write_text('{"id2label": {"0": ["a"]}}')
    assert compared(as_lines(GOOD))["metric"] == "accuracy"


def test_long_messages_leave_their_middle_out() -> None:
    error = str(InputError(f"a.jsonl:1: {'x' * 10_000}; this would work: y"))
    assert len(error) < LONGEST + 10
    assert error.startswith("a.jsonl:1: xxx")
    assert error.endswith("; this would work: y")


# ---------------------------------------------------------------------- folders and lists


def test_damaged_data_sets() -> None:
    data = datasets.Dataset.from_list(ROWS).class_encode_column("label")
    data.save_to_disk("saved")
    [path] = Path("saved").glob("*.arrow")
    whole = path.read_bytes()
    first = len(ROWS[0]["text"])
    place = whole.index(struct.pack("<2i", 0, first)) + 4
    path.write_bytes(whole[:place] + struct.pack("<i", 0x7FFFFF00) + whole[place + 4 :])
    with pytest.raises(InputError, match=r"The data set saved \(train\) is damaged"):
        list(Hub("saved").rows("train"))
    path.write_bytes(whole)
    info = Path("saved/dataset_info.json")
    found = json.loads(info.read_text())
    found["features"]["label"]["names"] = ["bad"]
    info.write_text(json.dumps(found))
    with pytest.raises(InputError, match=r"saved \(train\) row 1: column 'label' holds 1, but .* names 1 labels"):
        list(Hub("saved").rows("train"))
    info.write_text('{"features": []}')
    with pytest.raises(InputError, match="cannot be loaded"):
        list(Hub("saved").rows("train"))


def test_a_text_is_no_list_of_words() -> None:
    Path("text.txt").write_text("他们\n" + "说" * 5000 + "\n")
    with pytest.raises(InputError, match=r"text.txt has a word of more than 1000 characters in line 2"):
        WordList("text.txt")


# ---------------------------------------------------------------------- configurations


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("early_stopping.patience", "early_stopping.patience is null, .* left out, it is 5"),
        ("early_stopping.min_delta", "early_stopping.min_delta is null"),
        ("pace.min_steps", "pace.min_steps is null"),
        ("data.init_args.tokenizer.vocab_size", "data.tokenizer.vocab_size is null, .* left out, it is 16384"),
        ("data.init_args.tokenizer.min_frequency", "data.tokenizer.min_frequency is null"),
    ],
)
def test_null_where_there_is_none(place: str, told: str, fails: Callable[..., str]) -> None:
    Path("a.csv").write_text(CSV)
    config: Any = json.loads(json.dumps(CONFIG))
    *groups, option = place.split(".")
    group = config
    for name in groups:
        group = group.setdefault(name, {})
    group[option] = None
    Path("x.yaml").write_text(json.dumps(config))
    assert re.search(told, fails("fit", "--config", "x.yaml"))


def test_a_model_type_that_is_no_name() -> None:
    with pytest.raises(InputError, match="Unknown model_type"):
        Backbone.of({"config": {"model_type": [["bert"]]}}).load_config()


@pytest.mark.parametrize(
    "args",
    [
        ["x" * 5000],
        ["fit", "--config", json.dumps({"name": "x" * 5000})],
        ["fit", "--config", "x" * 5000],
        ["fit", "--model", "x" * 5000],
        ["fit", "--trainer", "x" * 5000],
    ],
)
def test_values_that_are_longer_than_names_of_files(args: list[str], fails: Callable[..., str]) -> None:
    fails(*args)
