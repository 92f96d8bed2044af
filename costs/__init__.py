"""What a training takes: estimated before, measured while it runs."""
