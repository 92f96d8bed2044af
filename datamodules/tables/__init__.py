"""Labeled tables: columns, labels, rows on both sides of a split."""
