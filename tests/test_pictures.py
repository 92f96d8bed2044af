"""The pictures of docs/ show what is so now."""

from __future__ import annotations

import html
import re

import pytest

from pretune.docs.pictures import MADE, PICTURES


def words(svg: str) -> list[str]:
    """What stands in a picture; where, and in which colors, is a matter of rich's version."""
    texts = re.findall(r"<text[^>]*>(.*?)</text>", svg, re.DOTALL)
    return html.unescape("".join(texts)).split()


@pytest.mark.parametrize("name", MADE)
def test_pictures_are_true(name: str) -> None:
    """`python docs/pictures.py` makes them anew."""
    kept = (PICTURES / name).read_text(encoding="utf-8")
    assert words(MADE[name]()) == words(kept)
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", kept)
