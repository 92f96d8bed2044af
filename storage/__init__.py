"""What lies on disk and stays whole: files written at once, checksums, locks, the cache."""
