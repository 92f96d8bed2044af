"""CoNLL files: a word a line with its columns, sentences divided by blank lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...errors import InputError
from .files import suffix
from .opening import lines, open_text
from .rows import Bad, Row, refuse

ENDINGS = (".conll", ".iob", ".iob1", ".iob2", ".bio", ".iobes", ".bioes")


def read_conll(path: str, encoding: str = "utf-8", bad: Bad = refuse) -> Iterator[Row]:
    """Yield sentences in the file's order.

    The word is the first column and the tag the last, between tabs or else spaces. Lines of `-DOCSTART-` and
    comments (`# ` before the first word of a sentence) are left out.

    Args:
        path: a file, plain or compressed.
        encoding: of the text.
        bad: takes what is wrong with a sentence, which is then passed over.

    Yields:
        Where a sentence starts (`eng.train.conll:12`), and `{"tokens": [...], "ner_tags": [...]}`.

    Raises:
        InputError: naming the line that has another number of columns.
    """
    tokens: list[str] = []
    tags: list[str] = []
    first, width, spoiled = 0, 0, False
    with open_text(path, encoding, newline="\n") as text:
        for number, line in enumerate(lines(text, path), 1):
            line = line.rstrip("\r\n")
            if not line.strip() or line.startswith("-DOCSTART-"):
                if tokens and not spoiled:
                    yield f"{path}:{first}", {"tokens": tokens, "ner_tags": tags}
                tokens, tags, spoiled = [], [], False
                continue
            if not tokens and re.match(r"#(\s|$)", line) and len(line.split("\t")) < 2 and not _looks_tagged(line):
                continue
            # White space of other kinds belongs to words: 10 000 is written with a no-break space.
            fields = line.split("\t") if "\t" in line else re.split(" +", line.strip(" "))
            width = width or len(fields)
            if len(fields) != width or len(fields) < 2:
                want = f"the lines before have {width}" if len(fields) != width else "a word and its tag are two"
                columns = "1 column" if len(fields) == 1 else f"{len(fields)} columns"
                if not spoiled:  # a sentence is one row
                    bad(InputError(f"{path}:{number}: {columns}, but {want}."))
                spoiled = True
            if not tokens:
                first = number
            tokens.append(fields[0])
            tags.append(fields[-1].strip())
    if tokens and not spoiled:
        yield f"{path}:{first}", {"tokens": tokens, "ner_tags": tags}


def conll_line(where: str, number: int) -> str:
    """Return the place of a word: the line of its own in a CoNLL file, else that of its row.

    Args:
        where: the place of its sentence, as `read_conll` and the other readers say it.
        number: of the word.
    """
    path, _, line = where.rpartition(":")
    return f"{path}:{int(line) + number}" if suffix(path) in ENDINGS and line.isdecimal() else where


def _looks_tagged(line: str) -> bool:
    """Return whether a line that begins with `#` is a word with its tag after all."""
    return re.fullmatch(r"#( \S+)* (O|[BIESLU]-\S+)", line) is not None
