"""Parts of a card are replaced; what others wrote around them stays."""

from __future__ import annotations

from pretune.text.card_sections import fenced, folded, section, with_sections


def test_a_part_is_replaced_and_the_rest_stays() -> None:
    card = f"# Mine\n\nMy words.\n\n{section('scores', 'old')}\nMore of mine.\n{section('time')}"
    fresh = with_sections(card, {"scores": r"new \1 | `a`", "time": "3 s"})
    assert fresh == f"# Mine\n\nMy words.\n\n{section('scores', chr(110) + 'ew ' + chr(92) + '1 | `a`')}" + (
        f"\nMore of mine.\n{section('time', '3 s')}"
    )
    assert with_sections(fresh, {"scores": r"new \1 | `a`", "time": "3 s"}) == fresh


def test_a_part_that_was_taken_out_stays_out() -> None:
    card = f"# Mine\n\n{section('scores', 'old')}\nThe curves I drew myself.\n"
    fresh = with_sections(card, {"scores": "new", "curves": "![](curves.png)"})
    assert "curves.png" not in fresh
    assert "The curves I drew myself." in fresh


def test_a_card_without_parts_gets_them_at_its_end() -> None:
    fresh = with_sections("# Of version 0.1\n", {"time": "3 s", "scores": "| a |", "curves": ""})
    assert fresh == f"# Of version 0.1\n\n{section('scores', '| a |')}\n{section('time', '3 s')}"


def test_a_mark_within_a_line_ends_nothing() -> None:
    body = "| `<!-- pretune: end of scores -->` |\n| more |"
    card = with_sections(section("scores", body) + "after\n", {"scores": "new"})
    assert card == section("scores", "new") + "after\n"


def test_code_ends_where_it_ends() -> None:
    assert fenced("a: |\n  ```\n  ````", "yaml") == "`````yaml\na: |\n  ```\n  ````\n`````"
    assert folded("More", "text").startswith("<details>\n<summary>More</summary>\n\ntext")
