"""Losses, as sums over targets."""
