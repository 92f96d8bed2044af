"""Values in `backbone.config`, held against what the architecture's own configuration has there."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

from ...errors import InputError, first_line

KINDS: dict[type[Any], tuple[tuple[type[Any], ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "a text"),
}
ACTIVATIONS = ("hidden_act", "activation_function", "hidden_activation", "dense_act_fn", "activation")
WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text"}
STRICT = re.compile(r"Field '(\w+)' expected ([^,]+), got \w+ \(value: (.*)\)")


def check_fields(fields: Mapping[str, Any], known: Any) -> None:
    """Refuse values of another kind than the field's own, and numbers that are none.

    Args:
        fields: values by name.
        known: a configuration of that architecture, with its defaults.

    Raises:
        InputError: with the field and what would work.
    """
    for field, value in fields.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"backbone.config.{field} is {value}; it must be finite.")
        usual: Any = getattr(known, field, None)
        if field in ACTIVATIONS and isinstance(value, str):
            _check_activation(field, value)
        kinds, words = KINDS.get(type(usual), ((), ""))
        if not kinds or value is None or (isinstance(value, str) and not isinstance(usual, int | float)):
            continue
        if not isinstance(value, kinds) and isinstance(value, bool | int | float | str):
            raise InputError(f"backbone.config.{field} is {value!r}; {words}, such as {usual!r}, would work.")
        if type(value) is int and value < 0 <= usual and field.startswith(("num_", "n_", "hidden_", "vocab", "max_")):
            raise InputError(f"backbone.config.{field} is {value}; {words} that is not below 0 would work.")


def _check_activation(field: str, value: str) -> None:
    from transformers.activations import ACT2FN

    known = sorted(ACT2FN)
    if value not in known:
        close = get_close_matches(value, known, n=3)
        near = f" (did you mean {' or '.join(close)}?)" if close else ""
        raise InputError(f"backbone.config.{field} is {value!r}{near}; there are: {', '.join(known)}.")


@contextmanager
def fields_told(model_type: str) -> Iterator[None]:
    """Say in one sentence what the architecture refuses.

    Raises:
        InputError: for whatever is raised within.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # the classes of errors, too, are the architecture's own
        text = " ".join(str(error).split())
        if found := STRICT.search(text):
            kinds = " or ".join(WORDS.get(kind.strip(), kind.strip()) for kind in found[2].split("|"))
            raise InputError(f"backbone.config.{found[1]} is {found[3]}; {kinds} would work.") from error
        raise InputError(f"backbone.config does not make a {model_type}: {first_line(error)}") from error
