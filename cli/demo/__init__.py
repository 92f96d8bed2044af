"""The page on which people try a model: what it shows, and what answers there."""
