"""Selecting the training documents of a corpus, in passes over its texts."""
