"""What the card of an export says that no run can know, and how much it shows of the data."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...errors import InputError, check_range, refuse_nulls

LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*|code|multilingual")
"""A code of ISO 639, or one of the two words that the Hub takes beside them."""
LICENSE = re.compile(r"[a-z0-9][a-z0-9.\-]*")
MOST_EXAMPLES = 10


@dataclass
class CardOptions:
    """What the model card says.

    Args:
        license: of the weights, by its name on the Hub, such as `apache-2.0`; null takes that of the backbone's card,
            where it is known, and leaves it out elsewhere.
        language: of the texts, as a code of ISO 639 such as `en`, or several; null as with `license`.
        examples: training texts that are shown of each label; 0 shows none. They are published with the card.
    """

    license: str | None = None
    language: str | list[str] | None = None
    examples: int = 1

    def __post_init__(self) -> None:
        refuse_nulls(self, "card")
        check_range("card.examples", self.examples, least=0, most=MOST_EXAMPLES)
        for code in [self.language] if isinstance(self.language, str) else self.language or []:
            if not LANGUAGE.fullmatch(code):
                raise InputError(
                    f"card.language is {code!r}; codes of ISO 639 would work, such as en or [en, zh], and `code` and "
                    "`multilingual`."
                )
        if self.license is not None and not LICENSE.fullmatch(self.license):
            raise InputError(
                f"card.license is {self.license!r}; the Hub's name of a license would work, such as apache-2.0, mit or "
                "cc-by-4.0."
            )
