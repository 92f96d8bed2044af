from __future__ import annotations

import functools
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonargparse import ArgumentParser

from pretune.datamodules import CorpusDataModule, TrainTokenizer
from pretune.errors import InputError
from pretune.text.cleaning import Cleaning, function_key
from pretune.text.near_duplicates import shingle_hashes

WORDS = [f"word{i}" for i in range(2000)]


def clean(texts: list[str], **options: Any) -> tuple[list[str], dict[str, int]]:
    skipped: Counter[str] = Counter()
    return list(Cleaning(**options).clean(iter(texts), skipped)), dict(skipped)


def test_everything_stays_unless_told_otherwise() -> None:
    texts = ["", "a", "a", "b" * 1000]
    assert clean(texts) == (texts, {})


def test_lengths() -> None:
    texts = ["a" * n for n in range(6)]
    assert clean(texts, min_characters=2, max_characters=4) == (texts[2:5], {"too short": 2, "too long": 1})


def test_exact_duplicates_apart_from_white_space() -> None:
    kept, skipped = clean(["a b", "ab", " a \n\t b ", "a b", "A b", "\ud800"], exact_duplicates=True)
    assert kept == ["a b", "ab", "A b", "\ud800"]
    assert skipped == {"exact duplicates": 2}


def similarity(one: str, other: str) -> float:
    """Jaccard's, from the shingles written out."""
    sets = []
    for text in (one, other):
        units = text.split() if " " in text else list(text)
        sets.append({tuple(units[i : i + 5]) for i in range(len(units) - 4)})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def changed(units: list[str], changes: int) -> list[str]:
    """With some of the last units replaced, each at a distance of the next."""
    return [f"{unit}!" if i % 6 == 5 and i // 6 < changes else unit for i, unit in enumerate(units)]


@pytest.mark.parametrize("joint", [" ", ""])
def test_near_duplicates_are_those_above_the_threshold(joint: str) -> None:
    rng = random.Random(0)
    characters = [chr(0x4E00 + i) for i in range(3000)]
    near, far, texts = [], [], []
    for _ in range(60):
        units = rng.choices(WORDS if joint else characters, k=120)
        texts.append(joint.join(units))
        near.append(joint.join(changed(units, 1)))
        far.append(joint.join(changed(units, 8)))
    assert all(similarity(a, b) > 0.88 for a, b in zip(texts, near, strict=True))
    assert all(similarity(a, b) < 0.55 for a, b in zip(texts, far, strict=True))
    kept, skipped = clean(texts + near + far, near_duplicates=0.75)
    assert kept == texts + far
    assert skipped == {"near duplicates": 60}
    kept, skipped = clean(texts + near + far, near_duplicates=0.3)
    assert len(kept) <= 63  # recall is high, not perfect
    kept, _ = clean(texts + near + texts, near_duplicates=1.0)
    assert kept == texts + near


def test_shingles_are_counted_as_written_out() -> None:
    rng = random.Random(1)
    for vocabulary, joint in ((WORDS[:9], " "), (list("研究生命起源中华"), "")):
        for _ in range(50):
            one, other = (joint.join(rng.choices(vocabulary, k=60)) for _ in range(2))
            ours = [set(shingle_hashes(text).tolist()) for text in (one, other)]
            assert len(ours[0] & ours[1]) / len(ours[0] | ours[1]) == pytest.approx(similarity(one, other))
    assert shingle_hashes("a").dtype == np.uint64
    assert shingle_hashes("a b c d e f g").max() < 1 << 32
    assert len(shingle_hashes("a b c d e f g")) == 3
    assert shingle_hashes("a b c d e").tolist() != shingle_hashes("b a c d e").tolist()


def test_near_duplicates_of_short_long_and_strange_texts() -> None:
    long = " ".join(random.Random(2).choices(WORDS, k=30_000))
    texts = ["", " ", "one", "two", "one", "one two", "two one", "\ud800 b", long, long + " end"]
    kept, skipped = clean(texts, near_duplicates=0.9)
    assert kept == ["", "one", "two", "one two", "two one", "\ud800 b", long]
    assert skipped == {"near duplicates": 3}


def test_near_duplicates_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasketch", None)
    assert clean(["a", "a"], exact_duplicates=True)[0] == ["a"]
    with pytest.raises(InputError, match=r'data\.cleaning\.near_duplicates .* pip install "pretune\[cleaning\]"'):
        clean(["a"], near_duplicates=0.8)
    data = CorpusDataModule(
        "missing.txt", cleaning=Cleaning(near_duplicates=0.8), tokenizer=TrainTokenizer("wordpiece")
    )
    Path("missing.txt").write_text("a\n")
    monkeypatch.setattr(data, "training_texts", lambda: pytest.fail("was read"))
    with pytest.raises(InputError, match="needs the package datasketch"):
        data.prepare_data()


def test_cheap_checks_come_first_and_what_is_filtered_takes_no_other_with_it() -> None:
    asked: list[str] = []

    def keep(text: str) -> bool:
        asked.append(text)
        return not text.endswith("bad")

    body = " ".join(WORDS[:100])
    texts = ["no", body + " bad", body, body, body + " again"]
    kept, skipped = clean(texts, min_characters=3, exact_duplicates=True, near_duplicates=0.8, filter=keep)
    assert kept == [body]
    assert skipped == {"too short": 1, "filtered": 1, "exact duplicates": 1, "near duplicates": 1}
    assert asked == [body + " bad", body, body + " again"]


def test_it_streams() -> None:
    documents = (f"document number {i % 10_000} of {i}" for i in count())
    cleaning = Cleaning(exact_duplicates=True, near_duplicates=1.0, filter=lambda text: "7" not in text)
    assert len(list(islice(cleaning.clean(documents, Counter()), 20))) == 20


def test_a_filter_that_fails() -> None:
    def fails(text: str) -> bool:
        raise RuntimeError("no model\nmany more lines")

    with pytest.raises(InputError, match=r"data\.cleaning\.filter: .*fails failed with RuntimeError: no model, .*'xxx"):
        clean(["x" * 1000], filter=fails)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_characters": -1}, "min_characters is -1"),
        ({"max_characters": 0}, "max_characters is 0"),
        ({"min_characters": 9, "max_characters": 8}, "max_characters is 8"),
        ({"near_duplicates": 0.0}, "near_duplicates is 0.0"),
        ({"near_duplicates": 80}, "near_duplicates is 80"),
        ({"filter": "str.split"}, "filter is 'str.split'"),
    ],
)
def test_options_that_cannot_work(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"data.cleaning.{message}")):
        Cleaning(**options)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # `instantiate` is not in all versions of jsonargparse
def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_filters.py").write_text("def english(text):\n    return 'the' in text\n")
    monkeypatch.syspath_prepend(tmp_path)
    parser = ArgumentParser()
    parser.add_argument("--cleaning", type=Cleaning | None)
    options = ["--cleaning.min_characters=2", "--cleaning.near_duplicates=0.8", "--cleaning.filter=my_filters.english"]
    cleaning = parser.instantiate_classes(parser.parse_args(options)).cleaning
    assert cleaning.near_duplicates == 0.8
    assert list(cleaning.clean(iter(["the film", "ein Film"]), Counter())) == ["the film"]


# ------------------------------------------------------------------------------------------------- users' functions


def make(body: str) -> Callable[[str], bool]:
    space: dict[str, Any] = {"__name__": "typed_in"}
    exec(f"def keep(text):\n    return {body}", space)
    return space["keep"]  # type: ignore[no-any-return]


def longer_than(limit: int) -> Callable[[str], bool]:
    return lambda text: len(text) > limit


class Longer:
    def __init__(self, limit: int) -> None:
        self.limit = limit

    def __call__(self, text: str) -> bool:
        return len(text) > self.limit

    def method(self, text: str) -> bool:
        return len(text) > self.limit


def test_every_option_is_in_the_key() -> None:
    options: list[dict[str, Any]] = [
        {},
        {"min_characters": 1},
        {"max_characters": 1},
        {"exact_duplicates": True},
        {"near_duplicates": 0.8},
        {"near_duplicates": 0.9},
        {"filter": str.isascii},
    ]
    keys = [json.dumps(Cleaning(**each).key()) for each in options]
    assert len(set(keys)) == len(options)
    assert keys == [json.dumps(Cleaning(**each).key()) for each in options]


def test_functions_are_told_apart_by_what_they_do() -> None:
    def functions() -> list[Callable[..., Any]]:
        return [
            make("'a' in text"),
            make("'b' in text"),
            longer_than(1),
            longer_than(2),
            Longer(1),
            Longer(2),
            Longer(1).method,
            Longer(2).method,
            functools.partial(str.startswith, "a"),
            functools.partial(str.startswith, "b"),
            re.compile("a").search,
            re.compile("b").search,
            str.isascii,
            str.isalpha,
            len,
            clean,
            similarity,
        ]

    keys = [json.dumps(function_key(function)) for function in functions()]
    assert len(set(keys)) == len(keys)
    assert keys == [json.dumps(function_key(function)) for function in functions()]
    assert function_key(None) is None


def test_a_changed_source_changes_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util
    import linecache

    keys = []
    for body in ("True", "False", "True"):
        path = tmp_path / "changing.py"
        path.write_text(f"def keep(text):\n    return {body}\n")
        linecache.clearcache()
        spec = importlib.util.spec_from_file_location("changing", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, "changing", module)
        spec.loader.exec_module(module)
        keys.append(function_key(module.keep))
    assert keys[0] != keys[1]
    assert keys[0] == keys[2]


def test_what_cannot_be_told_apart_never_meets_the_cache() -> None:
    class Handle:
        def __reduce__(self) -> str:
            raise TypeError("cannot be pickled")

        def __call__(self, text: str) -> bool:
            return True

    handles = [Handle(), Handle()]
    assert function_key(handles[0]) != function_key(handles[1])
    assert "0x" in json.dumps(function_key(handles[0]))


def test_an_object_may_answer_for_itself() -> None:
    class Known:
        def __call__(self, text: str) -> bool:
            return True

        def key(self) -> list[int]:
            return [7]

    assert function_key(Known())[1] == [7]
