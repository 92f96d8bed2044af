"""Pages: escaped, whole without a network or a script, readable on a telephone, in the dark, and by their tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import Page, browser, needs_browser
from jinja2 import UndefinedError
from markupsafe import Markup

from pretune.cli.pages import Bar, Line, bars, lines, render_page, write_page

HOSTILE = '<script>document.title="broken"</script><img src=x onerror=alert(1)> \u202ereversed \x1b[31m & "quoted" 中文'
TEMPLATE = """{% extends "page.html" %}{% from "parts.html" import table, facts, notice %}
{% block main %}
<h2>{{ text }}</h2>
{{ notice(text) }}
{{ facts([("name", text), (text, "value")]) }}
<p title="{{ text }}">{{ text }}</p>
<div class="charts">{% for chart in charts %}{{ chart }}{% endfor %}</div>
{{ table([text] + "abcdefghijklmnopqrstuvwxyz" | list, [[text] + ["1234567"] * 26], text) }}
{% endblock %}"""
SERIES = [Line(HOSTILE, range(50), [1 / (i + 1) for i in range(50)]), Line("$x_1$", [0, 9], [0.5, 0.1], "dashed", 1)]


def charts() -> list[Markup]:
    return [
        lines("Loss of " + HOSTILE, "It falls. " + HOSTILE, SERIES, HOSTILE, "loss", marks=[(7, HOSTILE)]),
        bars(HOSTILE, "Two labels.", [Bar(HOSTILE, 0.8, 0.7, 0.9, note="n"), Bar("中文标签", 0.5, 0.4, 0.6)], "F1"),
    ]


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("templates")
    (folder / "hostile.html").write_text(TEMPLATE, encoding="utf-8")
    return render_page("hostile.html", folder, title=f"A page {HOSTILE}", text=HOSTILE, charts=charts())


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs


def test_texts_are_escaped_and_their_control_characters_shown(html: str):
    tags = Tags(html)
    assert not {"script", "img", "link", "iframe", "object"} & set(tags.names)
    assert not [name for name, _ in tags.attributes if name.startswith("on")]
    assert not re.findall("[\x00-\x08\x0b-\x1f\u202e]", html)
    assert r"\u202ereversed \x1b[31m" in html
    assert "$x_1$" in html  # no mathematics of what is a text


def test_nothing_is_asked_from_elsewhere(html: str):
    addresses = [value or "" for name, value in Tags(html).attributes if name in ("src", "href", "xlink:href")]
    assert addresses
    assert all(value.startswith("#") for value in addresses)
    assert "@import" not in html
    assert not re.findall(r"url\((?!#)", html)


def test_ids_are_unique_and_those_that_are_meant_are_there(html: str):
    attributes = Tags(html).attributes
    ids = [value for name, value in attributes if name == "id"]
    assert len(ids) == len(set(ids))
    meant = {value.lstrip("#") for name, value in attributes if value and name == "href"}
    meant |= {one for name, value in attributes if value and name == "aria-labelledby" for one in value.split()}
    meant |= set(re.findall(r"url\(#([^)]*)\)", html))
    assert meant <= set(ids)


def test_a_chart_is_said_in_words_and_in_a_table_and_takes_the_colors_of_the_page():
    chart = lines("Loss", "It falls.", SERIES, "step", "loss")
    assert 'role="img"' in chart
    assert re.search(r'<title id="[^"]*">Loss</title><desc id="[^"]*">It falls.</desc>', chart)
    assert "<td>0.5</td>" in chart
    assert "var(--series-1)" in chart
    assert not re.findall("#0a0[bc]", chart)  # the places of the colors are all taken
    assert "<text" in chart


def test_points_without_a_number_are_left_out_and_many_are_thinned():
    nan = float("nan")
    chart = lines("Loss", "", [Line("a", [0, 1, 2], [1.0, nan, 3.0]), Line("none", [0], [nan])], "step", "loss")
    assert "nan" not in chart
    assert "none" not in chart.replace(": none", "")
    many = lines("Loss", "", [Line("a", range(100_000), [1.0] * 100_000, "points")], "step", "loss")
    assert len(many) < 150_000
    assert "99,999" in many


def test_ticks_of_a_logarithmic_axis_are_numbers():
    chart = lines("Loss", "", [Line("a", [1, 10, 1000], [3.0, 2.0, 1.0])], "step", "loss", x_log=True)
    assert ">1,000<" in chart
    assert "mathdefault" not in chart


def test_what_a_template_does_not_get_is_an_error(tmp_path: Path):
    (tmp_path / "page-of-it.html").write_text('{% extends "page.html" %}{% block main %}{{ other }}{% endblock %}')
    with pytest.raises(UndefinedError, match="other"):
        render_page("page-of-it.html", tmp_path, title="t")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as opened:
        yield opened


@needs_browser
@pytest.mark.parametrize("width", [400, 1400])
def test_in_a_browser(page: Page, html: str, tmp_path: Path, width: int):
    write_page(tmp_path / "page.html", html)
    page.requests.clear()
    page.open(tmp_path / "page.html", width)
    assert page.overflow() == []
    assert page.evaluate("document.title").startswith("A page <script>")
    assert page.evaluate("document.querySelector('svg').getBoundingClientRect().width") > 300
    light = page.evaluate("getComputedStyle(document.querySelector('svg text')).fill")
    page.open(tmp_path / "page.html", width, dark=True)
    assert page.evaluate("getComputedStyle(document.querySelector('svg text')).fill") != light
    page.open(tmp_path / "page.html", width, dark=True, media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert all(url.startswith("file:") for url in page.requests)
    assert page.errors == []
