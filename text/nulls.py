"""Options that are null, and may not be: the parser lets them through where they are parts of a group."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args, get_type_hints

from ..errors import InputError


def refuse_nulls(options: Any, prefix: str) -> None:
    """Refuses null in what has no such value.

    Args:
        options: a group of options, a dataclass.
        prefix: how the user calls it, such as `data.tokenizer`.

    Raises:
        InputError: naming the option, and what it is where it is left out.
    """
    kinds = get_type_hints(type(options))
    for field in dataclasses.fields(options):
        if getattr(options, field.name) is None and type(None) not in get_args(kinds[field.name]):
            usual = "" if field.default is dataclasses.MISSING else f": left out, it is {field.default!r}"
            raise InputError(f"{prefix}.{field.name} is null, which is no value of it{usual}.")
