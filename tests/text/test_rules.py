from __future__ import annotations

import pickle
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pretune.errors import InputError
from pretune.text.cleaning import Cleaning
from pretune.text.rules import RULES, make_rule, sentences_of, words_of

needs_datatrove = pytest.mark.skipif(find_spec("datatrove") is None, reason="datatrove is not installed")
PROSE = (
    "The museum that stands at the end of the road was built with stones of the old wall. "
    "It has been open to people of all ages for many years, and its keepers say that they have never seen such crowds. "
    "They believe that this will be the best summer since the doors were opened. "
    "Visitors come to look at the pictures, to read in the library, or to have a rest under the trees. "
    "And with every visit there is something new to be found in one of its rooms."
)


def clean(texts: list[str], **options: Any) -> tuple[list[str], dict[str, int]]:
    skipped: Counter[str] = Counter()
    return list(Cleaning(**options).clean(iter(texts), skipped)), dict(skipped)


def test_words_and_sentences() -> None:
    assert words_of("Don't stop: 3.5 % of 中文x!") == [
        "Don't",
        "stop",
        ":",
        "3",
        ".",
        "5",
        "%",
        "of",
        "中",
        "文",
        "x",
        "!",
    ]
    text = 'One. "Two!" Three... 四。五\nsix'
    assert [text[a:b].strip() for a, b in sentences_of(text)] == ["One.", '"Two!"', "Three...", "四。", "五", "six"]


@needs_datatrove
@pytest.mark.parametrize("rule", RULES[:1] + RULES[1:3] + RULES[4:])
def test_prose_stays(rule: str) -> None:
    assert make_rule(rule)(PROSE) == (PROSE, None)


@needs_datatrove
@pytest.mark.parametrize(
    ("rule", "text", "reason"),
    [
        ("gopher_quality", "The words of this are too few.", "gopher_quality: gopher_short_doc"),
        ("gopher_quality", "# " * 20 + PROSE, "gopher_quality: gopher_too_many_hashes"),
        ("gopher_quality", PROSE.replace(" ", " 12 34 "), "gopher_quality: gopher_below_avg_threshold"),
        ("gopher_repetition", "\n".join([PROSE, *["again and again"] * 40]), "gopher_repetition: dup_line_frac"),
        ("gopher_repetition", "a few words " * 50, "gopher_repetition: top_2_gram"),
        ("c4_quality", "Lorem ipsum is in this sentence.\n" + PROSE, "c4_quality: lorem_ipsum"),
        ("c4_quality", "Only one sentence is here.", "c4_quality: too_few_sentences"),
        ("c4_paragraphs", PROSE, "c4_paragraphs: < 3 paragraphs"),
        ("fineweb_quality", "no mark ends this\n" * 9, "fineweb_quality: line_punct_ratio"),
        ("fineweb_quality", "\n".join(f"Row {n}." for n in range(9)), "fineweb_quality: short_line_ratio"),
    ],
)
def test_what_rules_drop(rule: str, text: str, reason: str) -> None:
    assert make_rule(rule)(text) == (text, reason)
    assert clean([text], rules=[rule]) == ([], {reason: 1})


@needs_datatrove
def test_c4_takes_lines_out() -> None:
    assert make_rule("c4_quality")("Home | About | Login\n" + PROSE) == (PROSE, None)
    kept, skipped = clean(["Home | About\n" + PROSE, PROSE], rules=["c4_quality"])
    assert (kept, skipped) == ([PROSE, PROSE], {})


@needs_datatrove
def test_rules_come_before_the_filter_and_count_first() -> None:
    options: dict[str, Any] = {"rules": ["gopher_quality"], "filter": str.istitle, "min_characters": 3}
    assert clean([PROSE, "too few words", "a"], **options) == (
        [],
        {"too short": 1, "gopher_quality: gopher_short_doc": 1, "filtered": 1},
    )
    pickle.loads(pickle.dumps(Cleaning(**options)))


def test_slips(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no rule 'gopher'; there are: gopher_quality, "):
        Cleaning(rules=["gopher"])  # type: ignore[list-item]
    with pytest.raises(InputError, match=r"language_model: there is no file"):
        Cleaning(languages=["en"], language_model="lid.bin")
    (tmp_path / "lid.bin").write_bytes(b"")
    with pytest.raises(InputError, match=r"say which in data.cleaning.languages"):
        Cleaning(language_model=str(tmp_path / "lid.bin"))
    with pytest.raises(InputError, match=r"language_score is 2"):
        Cleaning(languages=["en"], language_score=2)


@pytest.mark.parametrize(
    ("package", "options"),
    [("datatrove", {"rules": ["gopher_quality"]}), ("py3langid.langid", {"languages": ["en"]})],
)
def test_what_is_missing_is_said(package: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (package, f"{package}.data"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r'pip install "pretune\[prepare\]"'):
        Cleaning(**options).check_packages()


def test_keys_stay_without_the_new_options() -> None:
    plain = Cleaning().key()
    assert set(plain) == {"min_characters", "max_characters", "exact_duplicates", "near_duplicates", "filter"}
    others: list[dict[str, Any]] = [
        {"rules": ["gopher_quality"]},
        {"rules": ["c4_quality"]},
        {"languages": ["en"]},
        {"languages": ["en"], "language_score": 0.5},
    ]
    keys = [plain, *(Cleaning(**options).key() for options in others)]
    assert all(one != other for i, one in enumerate(keys) for other in keys[:i])


@pytest.mark.skipif(find_spec("py3langid") is None, reason="py3langid is not installed")
def test_languages() -> None:
    german = "Das Museum am Ende der Straße wurde mit den Steinen der alten Mauer gebaut und ist sehr schön."
    kept, skipped = clean([PROSE, german, "博物馆在路的尽头，是用旧墙的石头建成的。"], languages=["en"])
    assert (kept, skipped) == ([PROSE], {"other language": 2})
    assert clean([PROSE, german], languages=["en", "de"])[0] == [PROSE, german]
    assert clean(["ok no"], languages=["en"], language_score=1.0)[1] in ({"language unsure": 1}, {"other language": 1})
    with pytest.raises(
        InputError, match=r"data.cleaning.languages: eng is none that can be told; these can: ace, af, "
    ):
        clean([PROSE], languages=["eng"])


class FakeFastText:
    """As much of fastText's module as is used."""

    @staticmethod
    def load_model(path: str) -> FakeFastText:
        if not Path(path).read_bytes():
            raise ValueError(f"{path} has wrong file format!")
        return FakeFastText()

    def get_labels(self) -> list[str]:
        return ["__label__en", "__label__de"]

    def predict(self, text: str, k: int) -> tuple[tuple[str, ...], list[float]]:
        assert "\n" not in text  # which it refuses
        return ("__label__en" if "the" in text else "__label__de",), [0.5 if "?" in text else 0.9]


def test_languages_by_a_model_of_fasttexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "lid.bin"
    model.write_bytes(b"")
    monkeypatch.setitem(sys.modules, "fasttext", None)
    with pytest.raises(InputError, match=r"needs the package fasttext: pip install fasttext-numpy2-wheel"):
        clean(["a"], languages=["de"], language_model=str(model))
    monkeypatch.setitem(sys.modules, "fasttext", FakeFastText)
    with pytest.raises(InputError, match=r"language_model: .*lid.bin has wrong file format!"):
        clean(["a"], languages=["de"], language_model=str(model))
    model.write_bytes(b"a")
    before = Cleaning(languages=["de"], language_model=str(model)).key()
    texts = ["the man\nof the house", "von dem mann", "mann?"]
    assert clean(texts, languages=["de"], language_model=str(model)) == (
        texts[1:2],
        {"other language": 1, "language unsure": 1},
    )
    with pytest.raises(InputError, match=r"these can: de, en"):
        clean(texts, languages=["fr"], language_model=str(model))
    model.write_bytes(b"b")
    assert Cleaning(languages=["de"], language_model=str(model)).key() != before
