"""Where a network comes from: weights, families, adapters, depth."""
