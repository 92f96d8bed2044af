"""What the command line switches on by itself."""
