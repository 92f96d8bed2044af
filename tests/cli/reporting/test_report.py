"""The page about a run: what it tells, that it is whole and harmless, small and quick, and readable in a browser."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import made_runs
import pytest
from browser import Page, browser, needs_browser
from made_runs import HOSTILE, labeled, make_run

from pretune.cli.reporting import Report, Run
from pretune.errors import InputError

KINDS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "label": lambda: labeled(200),
    "entities": made_runs.tagged,
    "answer": made_runs.answered,
    "choice": made_runs.chosen,
    "labels": made_runs.several,
    "number": made_runs.numbers,
}


def words(html: str) -> str:
    """What a reader sees."""
    return " ".join(re.sub(r"<[^>]*>", " ", re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)).split())


@pytest.mark.parametrize("kind", KINDS)
def test_of_every_kind_of_row(tmp_path: Path, kind: str) -> None:
    html = Run(make_run(tmp_path / "run/version_0", KINDS[kind]())).report().html
    assert "<script" not in html
    assert "<img" not in html
    assert "\u202e" not in html
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert "Rows to look at" in html


def test_it_tells_what_was_kept_and_why_it_stopped(tmp_path: Path) -> None:
    text = words(Run(make_run(tmp_path / "run/version_0")).report().html)
    assert "trainer.max_steps (30) reached." in text
    assert "the weights after step 20" in text
    assert "+0.2000" in text  # the gap there
    assert "+0.4000" in text  # at the end
    assert "There is no test yet" in text
    assert "validation 20 0.6833" not in text
    assert "run/version_0" in text


def test_entities_are_marked_as_found_rightly_wrongly_and_missed(tmp_path: Path) -> None:
    html = Run(make_run(tmp_path / "run/version_0", made_runs.tagged())).report().html
    marks = re.findall(r'<mark class="(\w+)"><bdi>([^<]*)</bdi><small>([^<]*)</small>', html)
    assert ("right", "Ada Smith", "PER") in marks
    assert ("wrong", "met", "PER") in marks
    assert ("wrong", "Rome", "PER, right: LOC") in marks
    assert ("missed", "Bob", "PER, missed") in marks


def test_answers_are_marked_in_their_context(tmp_path: Path) -> None:
    html = Run(make_run(tmp_path / "run/version_0", made_runs.answered())).report().html
    marks = re.findall(r'<mark class="(\w+)"><bdi>([^<]*)</bdi><small>([^<]*)</small>', html)
    assert ("right", "Rome", "answer") in marks
    assert ("wrong", "Oslo", "answer") in marks
    assert ("missed", "Rome", "right answer") in marks


def test_the_most_confident_error_comes_first(tmp_path: Path) -> None:
    rows = [row for row in labeled(50, ["a", "b"]) if max(row["probabilities"].values()) < 0.99]
    sure = {**rows[0], "prediction": "a", "label": "b", "probabilities": {"a": 1.0, "b": 0.0}, "text": "the worst"}
    html = Run(make_run(tmp_path / "run/version_0", [*rows, sure])).report().html
    errors = html[html.index("The most confident errors") :]
    first = words(errors[: errors.index("</li>")])
    assert first.startswith("The most confident errors predicted a (100.0%), right: b the worst")


def test_a_run_that_is_not_tested_or_not_finished_is_told_of(tmp_path: Path) -> None:
    folder = tmp_path / "run/version_0"
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text('{"fit": {"status": "running"}}')
    assert "running, or killed" in words(Run(folder).report().html)


def test_pretraining_tells_of_tokens_samples_and_probes(tmp_path: Path) -> None:
    groups = [{"from": 1, "to": 9, "loss": 5.0, "targets": 10}, {"from": 10, "to": 99, "loss": 2.0, "targets": 90}]
    losses = {"stage": "validation", "step": 20, "targets": 100, "by_frequency": groups, "by_position": groups}
    samples = [{"step": 10, "prompt": "Once", "text": f" upon {HOSTILE}"}]
    folder = make_run(tmp_path / "run/version_0", token_losses=losses, samples=samples)
    path = folder / "metrics.csv"
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join([lines[0] + ",probe/accuracy", *(f"{line},{n / 99}" for n, line in enumerate(lines[1:]))])
    )
    text = words(Run(folder).report().html)
    assert "Loss by how often a token occurs" in text
    assert "Loss by position" in text
    assert "step 10 Once upon <script>" in text.replace("&lt;", "<").replace("&gt;", ">")
    assert "Probe: accuracy" in text


def test_several_runs_side_by_side(tmp_path: Path) -> None:
    first = make_run(tmp_path / "one/version_0", labeled(60))
    second = make_run(tmp_path / "two/version_0")
    (second / "config.yaml").write_text("name: other\nmodel: {class_path: pretune.modules.TextClassification}\n")
    text = words(Report([Run(first), Run(second)]).html)
    assert "score one/version_0 two/version_0" in text
    assert "name made other" in text
    assert "Validation loss" in text
    assert "class_path" not in text  # in which they do not differ


@pytest.mark.parametrize(
    ("content", "said"), [("{}\n", ":1 has no prediction"), ('{"prediction": 1}\n{"predi', ":2 is not JSON")]
)
def test_damaged_rows_are_named_by_their_line_and_nothing_is_written(tmp_path: Path, content: str, said: str) -> None:
    folder = make_run(tmp_path / "run/version_0", labeled(3))
    (folder / "test_predictions.jsonl").write_text(content)
    with pytest.raises(InputError, match=said):
        Run(folder).report().save()
    assert not list(folder.glob("*report*"))


def test_in_a_notebook_it_stands_in_a_frame_of_its_own(tmp_path: Path) -> None:
    shown = Run(make_run(tmp_path / "run/version_0"), ).report()._repr_html_()  # fmt: skip
    assert shown.startswith("<iframe")
    assert "<h1>" not in shown  # escaped


def test_ten_thousand_rows_are_small(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run/version_0", labeled(10_000, ["a", "b", "c", HOSTILE]))
    begin = time.process_time()
    path = Run(folder).report().save()
    assert time.process_time() - begin < 15
    assert path.stat().st_size < 3_000_000


@pytest.mark.slow
def test_many_labels_and_long_texts_are_small_too(tmp_path: Path) -> None:
    labels = [f"label {n}" for n in range(300)]
    rows = labeled(10_000, labels)
    for row in rows:
        best = sorted(row["probabilities"], key=row["probabilities"].__getitem__, reverse=True)[:20]
        row |= {"text": row["text"] * 400, "probabilities": {name: row["probabilities"][name] for name in best}}
    folder = make_run(tmp_path / "run/version_0", rows)
    begin = time.process_time()
    path = Run(folder).report().save()
    assert time.process_time() - begin < 15
    assert path.stat().st_size < 3_000_000


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as opened:
        yield opened


@needs_browser
@pytest.mark.parametrize("kind", KINDS)
def test_in_a_browser(page: Page, tmp_path: Path, kind: str) -> None:
    path = Run(make_run(tmp_path / "run/version_0", KINDS[kind]())).report().save()
    page.requests.clear()
    page.errors.clear()
    for width in (400, 1400):
        page.open(path, width)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.overflow() == []
        assert page.evaluate("document.title") == "run/version_0"
    links = "[...document.querySelectorAll('nav a')].every(a => document.getElementById(a.hash.slice(1)))"
    assert page.evaluate(links)
    assert all(url.startswith("file:") for url in page.requests)
    assert page.errors == []


def test_summary_that_is_no_object_is_an_error(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run/version_0")
    (folder / "summary.json").write_text(json.dumps([1]))
    with pytest.raises(InputError, match=r"summary\.json is damaged"):
        Run(folder).report().save()
