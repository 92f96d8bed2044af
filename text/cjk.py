"""Chinese and Japanese characters: which ones there are is known here.

The sets are not the same on purpose: word counts, scores and sentences of earlier versions depend on each as it is.
"""

from __future__ import annotations

import re

KANA = "\u3040-\u30ff"
"""Hiragana and katakana, for a class of characters in a regular expression, as the others below."""
IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f"
"""Chinese characters up to plane 2: what the counts of words and the scores of texts go by."""
CJK_CHARACTER = re.compile(f"[{IDEOGRAPHS}{KANA}]")
"""A Chinese or Japanese character, which counts as a word."""
ALL_CJK = f"\u3005-\u3007{KANA}{IDEOGRAPHS}\U0002fa20-\U000323af"
"""With plane 3, and with the signs that stand for a character or a zero: what sentences are divided by."""
WORD_LIST_CJK = f"{ALL_CJK}\u31f0-\u31ff"
"""With the small katakana of Ainu: what words of a list are made of."""
CMRC_CHINESE = re.compile("[\u4e00-\u9fa5]")
"""A Chinese character as CMRC2018's script has it (arXiv 1810.07366)."""
