"""What is wrong with a command line or a configuration, and what was meant."""
