"""Text before it is numbers: readers, tokenizers, tags, cleaning. Imports no torch."""
