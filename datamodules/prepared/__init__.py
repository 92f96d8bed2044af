"""Corpora that `prepare` has tokenized: shards of token ids, on a disk of this machine or behind a URL."""
