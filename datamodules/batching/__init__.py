"""From rows of tokens to batches: padding, packing, order, shares, what is predicted."""

from .batches import Batches
from .encode_texts import encode_texts
from .padding import Padding
from .token_rows import RowsInMemory, TokenRow, TokenRows

Rows = TokenRows
"""Its name in version 0.1."""

__all__ = ["Batches", "Padding", "Rows", "RowsInMemory", "TokenRow", "TokenRows", "encode_texts"]
