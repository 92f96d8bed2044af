"""What pretraining does to text before the network sees it."""
