"""What is measured over whole sets."""
