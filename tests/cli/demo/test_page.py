"""The page as programs and people use it: by Gradio's client, and in Chromium by typing, clicking and reading."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import browser, needs_browser

pytest.importorskip("gradio")
from gradio_client import Client


def client(address: str) -> Client:
    return Client(address, verbose=False, analytics_enabled=False)


def test_answers_and_keeps_corrections(trained: Callable[[str], str], serve: Callable[..., str]) -> None:
    address = serve(trained("labels"))
    assert address.startswith("http://127.0.0.1:")
    page = client(address)
    label, said, right = page.predict("a good film", api_name="/predict")
    bars = {bar["label"]: bar["confidence"] for bar in label["confidences"]}
    assert sum(bars.values()) == pytest.approx(1, abs=1e-4)
    assert label["label"] == right == max(bars, key=lambda name: bars[name])
    assert said.startswith("Answered in 0.")
    with pytest.raises(Exception, match="nothing to correct yet"):
        client(address).predict("bad", api_name="/correct")
    with pytest.raises(Exception, match="is what was predicted"):
        page.predict(right, api_name="/correct")
    other = ({"good", "bad"} - {right}).pop()
    assert page.predict(other, api_name="/correct") == "Kept in corrections.jsonl, line 1."
    assert json.loads(Path("corrections.jsonl").read_text()) == {"review": "a good film", "stars": other}
    with pytest.raises(Exception, match="the text in column"):
        page.predict("  ", api_name="/predict")


def test_writes_while_one_looks(trained: Callable[[str], str], serve: Callable[..., str]) -> None:
    page = client(serve(trained("beginnings")))
    job = page.submit("a film is", api_name="/predict")
    text, _, right = job.result()
    steps = [output[0] for output in job.outputs()]
    assert len(steps) > 2
    assert [len(step) for step in steps[:-1]] == sorted(len(step) for step in steps[:-1])
    assert text == right
    assert text.startswith("a film is")


def test_a_conversation_goes_on(trained: Callable[[str], str], serve: Callable[..., str]) -> None:
    page = client(serve(trained("chat")))
    turns, _, _, emptied = page.predict("hello", [], api_name="/predict")
    assert [turn["role"] for turn in turns] == ["user", "assistant"]
    assert emptied == ""
    turns, *_ = page.predict("and now", turns, api_name="/predict")
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 2


def test_two_runs_side_by_side(trained: Callable[[str], str], serve: Callable[..., str]) -> None:
    first = trained("labels")
    second = trained("labels")
    label, other, said, _ = client(serve(first, f"{second}/export")).predict("a good film", api_name="/predict")
    assert label["confidences"] != []
    assert other["confidences"] != []
    assert said.count(" s") == 2


@needs_browser
def test_type_click_read(trained: Callable[[str], str], serve: Callable[..., str]) -> None:
    address = serve(trained("labels"))
    with browser() as page:
        page.visit(address, 1400)
        page.type("#text textarea", "a good film")
        begun = time.monotonic()
        page.click("#ask")
        page.wait("document.querySelector('#status')?.innerText.includes('Answered in')")
        assert time.monotonic() - begun < 10
        shown = page.evaluate("document.body.innerText")
        assert "Examples from the test set" in shown
        assert "good" in shown
        assert "%" in shown
        predicted = page.evaluate("document.querySelector('#right input').value")
        other = ({"good", "bad"} - {predicted}).pop()
        page.click("#right input")
        page.wait("document.querySelectorAll('[role=option]').length == 2")
        where = f"[...document.querySelectorAll('[role=option]')].find(e => e.innerText.trim().endsWith('{other}'))"
        page.evaluate(f"{where}.setAttribute('data-test', 'other')")
        page.click("[data-test=other]")
        page.click("#wrong")
        page.wait("document.querySelector('#status').innerText.includes('Kept in corrections.jsonl')")
        assert json.loads(Path("corrections.jsonl").read_text())["stars"] == other
        first = "document.querySelector('.gallery, table').querySelector('button, td')"
        page.evaluate(f"{first}.setAttribute('data-test', 'example')")
        page.click("[data-test=example]")
        page.wait("document.querySelector('#text textarea').value != 'a good film'")
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
        page.visit(address, 400)
        page.wait("!!document.querySelector('#ask')")
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
        elsewhere = [url for url in page.requests if not url.startswith((address, "data:", "blob:", "about:"))]
        assert elsewhere == []
