"""What configurations hold as they are written: read before anything parses them, with the line of every option."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from ...errors import InputError

SUFFIXES = {".yaml", ".yml", ".json"}
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DEEPEST = 100
"""Levels of a configuration; the parser would break off with an error of its own at some hundreds."""
LARGEST = 100_000
"""Values that aliases may stand for: a few lines can mean billions, which nobody's memory holds."""

Place = tuple[str, ...]


@dataclass
class Written:
    """A configuration as it is written.

    Args:
        name: the file, or `--config` where the text stands on the command line.
        values: what it holds.
        lines: of each option, by its path, the line where it stands.
    """

    name: str
    values: dict[str, Any]
    lines: dict[Place, int] = field(default_factory=dict)

    def place(self, path: Sequence[str]) -> str:
        """Return where an option stands, for messages."""
        line = self.lines.get(tuple(path))
        return f"{self.name}:{line}" if line else self.name


def check_configurations(args: Sequence[str]) -> None:
    """Refuse what no parser should read, and what it would read otherwise than it is meant.

    Args:
        args: the verb and its arguments.

    Raises:
        InputError: with the file and the line.
    """
    for option, value in configurations(args):
        written = read_written(value, option)
        if written is None or option != "--config":
            continue
        for part in ("model", "data", "trainer"):
            section = written.values.get(part)
            if not isinstance(section, dict | str | None):
                raise InputError(
                    f"{written.place((part,))}: {part} is {section!r}; options below `{part}:` would work."
                )


def configurations(args: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the option and the value of each configuration on a command line, and of files for a part of one."""
    for arg, after in zip(args, [*args[1:], ""], strict=False):
        option, equals, value = arg.partition("=")
        value = value if equals else after
        if option == "--config" or (option in PARTS and Path(value).suffix in SUFFIXES and os.path.isfile(value)):
            yield option, value


PARTS = ("--model", "--data", "--trainer")


def read_written(config: str, option: str = "--config") -> Written | None:
    """Return a configuration; None where it is read from a pipe or a store, which can be done once.

    Args:
        config: a file, or the text itself.
        option: whose value it is.

    Raises:
        InputError: if it is none.
    """
    if not config or config.startswith("--"):
        raise InputError(f"{option} needs a value: {option} FILE.")
    path = Path(config)
    inline = "\n" in config or config.lstrip().startswith("{") or ": " in config
    if inline:
        return _parsed(option, config)
    if os.path.isdir(path):
        _refuse_folder(path)
    if not os.path.exists(path):
        if config == "-" or "://" in config:
            return None
        raise InputError(f"{option}: there is no file {config!r}{_near(path)}.")
    if not os.path.isfile(path):  # a pipe
        return None
    stat = path.stat()
    return _read(config, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _read(config: str, changed: int, size: int) -> Written:
    return _parsed(config, decoded(config, Path(config).read_bytes()))


def _refuse_folder(path: Path) -> None:
    inside = [path / "config.yaml", *sorted(path.glob("version_*/config.yaml"), key=lambda p: -p.stat().st_mtime)]
    likely = next((p for p in inside if p.is_file()), None)
    cure = f"--config {likely}" if likely else "a YAML file in it"
    raise InputError(f"--config is {path}, a folder; {cure} would work.")


def _near(path: Path) -> str:
    """Return files of a name like that, in the same folder or among ours."""
    folder = path.parent if path.parent.is_dir() else Path()
    known = {p.name: str(p) for p in sorted(folder.glob("*")) if p.suffix in SUFFIXES}
    ours = Path(__file__).parents[2] / "configs"
    for p in sorted(ours.rglob("*.yaml")):
        here = Path("configs") / p.relative_to(ours)
        known.setdefault(p.name, str(here if here.is_file() else p))
    close = get_close_matches(path.name, known, n=2) or get_close_matches(f"{path.name}.yaml", known, n=2, cutoff=0.9)
    return f" (did you mean {' or '.join(known[name] for name in close)}?)" if close else ""


def check_text(name: str, text: str) -> None:
    """Refuse a text that is no configuration.

    Raises:
        InputError: with the line.
    """
    _parsed(name, text)


def decoded(name: str, content: bytes) -> str:
    """Return the text of a file.

    Raises:
        InputError: if it is not of UTF-8.
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"{name} is UTF-16; saved as UTF-8 it would work.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{name}:{line}: byte {error.start} (0x{content[error.start]:02X}) is not utf-8; saved as UTF-8 the "
            "configuration would work."
        ) from error


def _parsed(name: str, text: str) -> Written:
    try:
        lines = _walk(name, text)
        values = yaml.load(text, Loader=LOADER)  # a safe one
    except InputError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        tab = " (a tab? YAML is indented by spaces)" if mark and _tabbed(text, mark.line) else ""
        what = ", ".join(part for part in (error.context, error.problem) if part)
        raise InputError(f"{place}: the configuration is not YAML: {what}{tab}.") from error
    except yaml.YAMLError as error:
        what = " ".join(str(error).split())
        raise InputError(f"{name}: the configuration is not YAML: {what}.") from error
    except RecursionError as error:
        raise InputError(f"{name}: the configuration is nested too deeply to be read.") from error
    except (
        ValueError,
        OverflowError,
        TypeError,
        KeyError,
        AttributeError,
    ) as error:  # dates; its own slips
        raise InputError(f"{name}: the configuration is not YAML: {error}.") from error
    if values is None:
        raise InputError(f"{name} holds no option; an overlay that changes nothing can be left out.")
    if not isinstance(values, dict):
        what = "list" if isinstance(values, list) else "text" if isinstance(values, str) else "single value"
        raise InputError(
            f"{name} is no configuration: it holds a {what}, not options such as `trainer: {{max_epochs: 3}}` (data is "
            "named by --data.train_files, --data.test_files and --data.predict_files)."
        )
    return Written(name, values, lines)


def _tabbed(text: str, line: int) -> bool:
    return any("\t" in row[: len(row) - len(row.lstrip())] for row in text.splitlines()[line : line + 1])


@dataclass
class _Level:
    """A mapping or list that is being read."""

    path: Place
    anchor: str | None
    is_mapping: bool
    keys: dict[str, int] = field(default_factory=dict)
    key: str | None = None
    """The one whose value comes next."""
    waits: bool = True
    """Whether a key comes next."""
    size: int = 1
    count: int = 0


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _walk(name: str, text: str) -> dict[Place, int]:
    """Return the line of each option; event by event, so that neither depth nor aliases cost anything.

    Raises:
        InputError: for options that stand twice, aliases that stand for too much or for themselves, and other depths.
    """
    lines: dict[Place, int] = {}
    sizes: dict[str, int] = {}
    levels: list[_Level] = []

    def below(event: Any, size: int) -> Place:
        """Return where a node stands."""
        if not levels:
            return ()
        top = levels[-1]
        top.size += size
        if not top.is_mapping:
            top.count += 1
            return (*top.path, str(top.count - 1))
        if not top.waits:
            top.waits = True
            return (*top.path, top.key or "")
        top.waits, top.key = False, getattr(event, "value", None)
        line = _line(event)
        if top.key is not None and top.key != "<<":
            path = (*top.path, top.key)
            if top.key in top.keys:
                raise InputError(
                    f"{name}:{line}: {'.'.join(path)} stands there twice (first in line {top.keys[top.key]}), and the "
                    "last would replace the first: write it once."
                )
            top.keys[top.key] = lines[path] = line
        return top.path

    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.ScalarEvent):
            below(event, 1)
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.AliasEvent):
            if any(level.anchor == event.anchor for level in levels):
                raise InputError(f"{name}:{_line(event)}: *{event.anchor} stands for what it is part of.")
            if event.anchor not in sizes:
                raise InputError(
                    f"{name}:{_line(event)}: *{event.anchor} stands for nothing: no &{event.anchor} comes "
                    "before it (a text that begins with * is written in quotes)."
                )
            below(event, sizes[event.anchor])
        elif isinstance(event, yaml.CollectionStartEvent):
            path = below(event, 0)
            levels.append(_Level(path, event.anchor, isinstance(event, yaml.MappingStartEvent)))
            if len(levels) > DEEPEST:
                raise InputError(f"{name}:{_line(event)}: nested more than {DEEPEST} levels deep.")
        elif isinstance(event, yaml.CollectionEndEvent):
            done = levels.pop()
            if done.anchor:
                sizes[done.anchor] = done.size
            if levels:
                levels[-1].size += done.size
            if done.size > LARGEST and sizes and done.size > len(text):
                raise InputError(
                    f"{name}:{_line(event)}: aliases (*name) stand for {done.size:,} values; up to "
                    f"{LARGEST:,} would work."
                )
    return lines
