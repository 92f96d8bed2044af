"""What a step takes out of a batch."""
