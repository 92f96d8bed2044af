"""Names of files in a run folder that more than one part of the command line knows."""

PAGE = "report.html"
"""What the run came to, for a browser."""
TESTED = "test_predictions.jsonl"
"""The rows of its last test, each with what is right and what was predicted."""
