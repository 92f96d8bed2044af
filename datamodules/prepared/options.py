"""The prepared corpora of a datamodule, and what its options say of them."""

from __future__ import annotations

from typing import Any

from ...errors import InputError, check_range
from ...storage.cache import digest
from ...text.tokenizer import load_tokenizer
from ..find_tokenizer import tokenizer_content
from .corpus import PreparedCorpus


class PreparedCorpora:
    """Those that the options name.

    Args:
        cache_dir: of the cache.
        cache_limit: gigabytes that shards from behind URLs may take of it, all together; None knows no limit.
        shuffle_window: shards whose blocks are mixed; 0 mixes all, None leaves it to where they are.

    Raises:
        InputError: if a number is out of its range.
    """

    def __init__(self, cache_dir: str, cache_limit: float | None, shuffle_window: int | None) -> None:
        check_range("data.cache_limit", cache_limit, above=0)
        check_range("data.shuffle_window", shuffle_window, least=0)
        self.cache_dir, self.limit, self.window = cache_dir, cache_limit, shuffle_window
        self.all: list[PreparedCorpus] = []

    def corpus(self, url: str) -> PreparedCorpus:
        """Return one, by path or URL."""
        self.all.append(PreparedCorpus(url, self.cache_dir, None, self.window))
        limit = None if self.limit is None else int(self.limit * 1e9 / len(self.all))
        for corpus in self.all:
            corpus.limit = limit
        return self.all[-1]

    def refuse_settled(self, **options: Any) -> None:
        """Refuse options whose work was done when a corpus was prepared.

        Args:
            **options: values by name.
        """
        for name, value in options.items():
            if self.all and value is not None:
                raise InputError(
                    f"data.{name} has no effect on what is prepared ({self.all[0].url}): give it to the `prepare` "
                    "command, and leave it out here."
                )

    def refuse_selection(self, selection: Any) -> None:
        """Refuse to select from tokens.

        Args:
            selection: the option.
        """
        if self.all and selection is not None:
            raise InputError(
                f"data.selection goes by texts, and what is prepared ({self.all[0].url}) holds tokens: leave it out, "
                "or train on the files themselves."
            )

    def load_tokenizer(self, spec: Any) -> Any:
        """Return the tokenizer that comes with them.

        Args:
            spec: what `data.tokenizer` says.

        Raises:
            InputError: if they have several, or the option names another.
        """
        first = self.all[0]
        for other in self.all[1:]:
            if other.manifest.tokenizer.hash != first.manifest.tokenizer.hash:
                raise InputError(
                    f"{first.url} and {other.url} were prepared with different tokenizers: prepare one of them again, "
                    "with the other's."
                )
        tokenizer = first.load_tokenizer()
        if spec is None:
            return tokenizer
        if not isinstance(spec, str):
            raise InputError(f"data.tokenizer asks for training one, and {first.url} comes with its own: leave it out.")
        if digest(tokenizer_content(load_tokenizer(spec))) != digest(tokenizer_content(tokenizer)):
            raise InputError(
                f"data.tokenizer is {spec}, and {first.url} was prepared with another tokenizer, which comes with it: "
                "leave data.tokenizer out, or prepare the corpus with this one."
            )
        return tokenizer
