"""Options of `generate` are looked at before anything is written."""

from __future__ import annotations

import pytest

from pretune.errors import InputError
from pretune.modules.writing import check_generation


@pytest.mark.parametrize(
    ("options", "message"),
    [({"lenght_penalty": 1.0}, "no option 'lenght_penalty'"), ({"max_new_tokens": -1}, "^model.generation: ")],
)
def test_options_of_generate_are_checked(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_generation(options)


def test_a_token_may_be_spelled() -> None:
    check_generation({"forced_bos_token_id": "de_DE", "num_beams": 2})
